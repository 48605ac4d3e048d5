// The table of kernels: plain functions over pointers and sizes, one table for each instruction set.
//
// Sizes count elements; arrays are row-major float32. Outputs come first. A kernel does not allocate, throw
// or start threads, and its result for one row does not depend on how many other rows are in the call (but
// for the sign of a zero in a sum that underflows).
#pragma once

#include <cstddef>
#include <cstdint>

#include "arguments.hpp"
#include "table.hpp"

namespace nncore {

struct Kernels {
  const char* isa;    // "baseline", "avx2", "avx512" or "neon"
  std::size_t lanes;  // floats in a vector
  std::size_t panel;  // columns in a packed panel of B
  std::size_t gemm_scratch;

  // ---- gemm.hpp
  // Packs B for Gemm: dst[(j / panel) * dst_panel + r * panel + j % panel] = b[r * ld + j] for r < k. Columns
  // behind n are zero. Returns whether all are finite. pack_transposed reads b[j * ld + r].
  bool (*pack)(float* dst, std::size_t dst_panel, const float* b, std::size_t k, std::size_t n,
               std::size_t ld);
  void (*pack_transposed)(float* dst, std::size_t dst_panel, const float* b, std::size_t k, std::size_t n,
                          std::size_t ld);
  void (*gemm)(const Gemm& g);

  // ---- narrow.hpp
  // y (m, n) = x (m, k) @ transpose of w (n, k) [+ bias (n)], for few columns: sums along k.
  void (*narrow_product)(float* y, const float* x, const float* w, const float* bias, std::size_t m,
                         std::size_t n, std::size_t k);

  // ---- depthwise.hpp; bias (n) may be null
  void (*depthwise)(float* y, const float* x, const float* w, const float* bias, const Depthwise& d);
  // dx += the gradient
  void (*depthwise_input_gradient)(float* dx, const float* dy, const float* w, const Depthwise& d);
  // dw += the gradient. dw has a row for each tap; rows are dw_row apart.
  void (*depthwise_gradient)(float* dw, std::size_t dw_row, const float* x, const float* dy,
                             const Depthwise& d);

  // ---- winograd.hpp; the 16 elements of a transform are `element` floats apart.
  // u: filters [first, last) of the kernel w (3, 3, channels, filters); each element (channels, filters) is
  // in panels as written by `pack`; `first` is a multiple of 16.
  void (*winograd_kernel)(float* u, std::size_t element, const float* w, std::size_t channels,
                          std::size_t filters, std::size_t first, std::size_t last);
  // du (16, channels, filters)
  void (*winograd_kernel_gradient)(float* dw, const float* du, std::size_t channels, std::size_t filters);
  // v, each element (tiles, channels), from 4 rows of inputs, which are `row` floats apart
  void (*winograd_input)(float* v, std::size_t element, const float* x, std::size_t row, std::size_t channels,
                         std::size_t tiles);
  // dx += the gradient
  void (*winograd_input_gradient)(float* dx, std::size_t row, const float* dv, std::size_t element,
                                  std::size_t channels, std::size_t tiles);
  // y, one or two rows of outputs, from m, each element (tiles, filters). False if any is not finite.
  bool (*winograd_output)(float* y, const float* m, std::size_t element, const float* bias,
                          const WinogradRow& r);
  // Writes the maxima y and the argmax (tiles, filters) of whole tiles, as conv_pool. argmax may be null.
  bool (*winograd_pooled_output)(float* y, std::uint8_t* argmax, const float* m, std::size_t element,
                                 const float* bias, std::size_t tiles, std::size_t filters, bool relu);
  void (*winograd_output_gradient)(float* dm, std::size_t element, const float* dy, const WinogradRow& r);

  // ---- activation.hpp, softmax.hpp; indexed by Activation
  const ActivationKernels* activation;

  // ---- loss.hpp; indexed by Loss
  const LossKernel* loss;

  // ---- metric.hpp; indexed by Metric, null for those computed from counts
  const MetricKernel* metric;
  // code[i] = the number of thresholds that the prediction of y[i] exceeds (a NaN: none), plus count + 1 if
  // target[i] is not 0.
  void (*encode)(float* code, const float* target, const float* y, const Thresholds& t, std::size_t n);

  // ---- pool2d.hpp; one sample
  void (*max_pool2d)(float* y, const float* x, const Pool2D& p);
  // dx = 0; then each dy is added to the first position of its window, in row-major order, where x equals y
  // (a NaN equals a NaN).
  void (*max_pool2d_backward)(float* dx, const float* dy, const float* x, const float* y, const Pool2D& p);
  // The mean over the part of the window inside the image. Large windows are summed in halves.
  void (*average_pool2d)(float* y, const float* x, const Pool2D& p);
  void (*average_pool2d_backward)(float* dx, const float* dy, const Pool2D& p);

  // ---- conv_pool.hpp, conv_pool_gradient.hpp; one sample. argmax (out_h, out_w, filters): row-major
  // position in the pooling window, or a number outside it if ReLU gives no gradient.
  // w (kernel_h, kernel_w, channels, filters). windows: listed_windows(c).
  void (*conv_pool)(float* y, std::uint8_t* argmax, PoolWindow* windows, const float* x, const float* w,
                    const float* bias, const ConvPool& c);
  // dw (b.filters, taps), db (b.filters) = the gradients of the transposed kernel and of the bias over a
  // batch, for contiguous filters. dy (samples, out_h, out_w, filters) and argmax point to the first of them.
  // db may be null. windows may be null: then a slower kernel runs, whose scratch holds dw and db in double;
  // else scratch is conv_pool_scratch(c).
  void (*conv_pool_gradient)(float* dw, float* db, const float* dy, const std::uint8_t* argmax,
                             const PoolWindow* windows, const float* x, float* scratch,
                             const ConvPoolBatch& b, const ConvPool& c);
  // One sample; w (filters, taps) is the transposed kernel.
  void (*conv_pool_input_gradient)(float* dx, const float* dy, const std::uint8_t* argmax, const float* w,
                                   const ConvPool& c);

  // ---- normalization.hpp
  // y = (x - mean) / sqrt(variance + epsilon) * gamma + beta for rows of n. gamma, beta (n); moments (rows,
  // kRowMoments). y or moments may be null.
  void (*normalize_rows)(float* y, float* moments, const float* x, const float* gamma, const float* beta,
                         double epsilon, std::size_t rows, std::size_t n);
  // Adds the gradients to dgamma and dbeta, row by row. dx may be null.
  void (*normalize_rows_backward)(float* dx, float* dgamma, float* dbeta, const float* dy, const float* x,
                                  const float* gamma, const float* moments, std::size_t rows, std::size_t n);

  // ---- random.hpp; keeps element i with probability 1 - rate and scales it by 1 / (1 - rate). The choice
  // depends on (key, first + i) alone. y may be x.
  void (*dropout)(float* y, const float* x, std::uint64_t key, std::uint64_t first, float rate,
                  std::size_t n);
  // With g normal of mean 0 and deviation 1, which depends on (key, first + i) alone: y = x + deviation * g,
  // or x * (1 + deviation * g) if `scales`. y may be x.
  void (*noise)(float* y, const float* x, std::uint64_t key, std::uint64_t first, float deviation,
                bool scales, std::size_t n);

  // ---- columns.hpp
  // y[j] = sum over i of x[i * ld + j], in order and in runs
  void (*column_sums)(float* y, const float* x, std::size_t rows, std::size_t columns, std::size_t ld);
  // y[j] = sum over i of u[i, j] * (x[i, j] - mean[j])
  void (*column_products)(float* y, const float* u, const float* x, const float* mean, std::size_t rows,
                          std::size_t columns);
  // For each column: shift = mean - first row, squares = the sum of squares about the mean.
  void (*column_moments)(float* shift, float* squares, const float* x, std::size_t rows, std::size_t columns);
  // y = (x - mean) * scale + offset [+ u * u_scale]; y may be x or u
  void (*column_affine)(float* y, const float* x, const float* u, const ColumnAffine& c, std::size_t rows,
                        std::size_t columns);

  // ---- recurrent.hpp; a step, and its gradient
  void (*lstm)(const RecurrentStep& s);
  void (*lstm_backward)(const RecurrentStep& s);
  // Before and after the candidate's own product, if it reads reset.
  void (*gru_reset)(const RecurrentStep& s);
  void (*gru_mix)(const RecurrentStep& s);
  void (*gru_mix_backward)(const RecurrentStep& s);
  void (*gru_reset_backward)(const RecurrentStep& s);

  // ---- update.hpp
  // y[i] += x[i]
  void (*add)(float* y, const float* x, std::size_t n);
  // sum[i] += x[i]
  void (*add_wide)(double* sum, const float* x, std::size_t n);
  // y[i] = x[i] * scale + offset
  void (*rescale)(float* y, const float* x, float scale, float offset, std::size_t n);
  // indexed by OptimizerKind
  UpdateKernel* const* update;
};

}  // namespace nncore

// The table of kernels: plain functions over pointers and sizes, one table for each instruction set.
//
// Sizes count elements; arrays are row-major float32. Outputs come first. A kernel does not allocate, throw
// or start threads, and its result for one row does not depend on how many other rows are in the call (but
// for the sign of a zero in a sum that underflows).
#pragma once

#include <cstddef>
#include <cstdint>

#include "../core/slack.hpp"
#include "table.hpp"

namespace nncore {

// A sum over more rows than kShortSum is made in runs of kRunRows, whose results are added in double, so that
// its error stays below 1e-6 of the sum of absolute values.
constexpr std::size_t kShortSum = 4096, kRunRows = 256;
// A multiple of Kernels::panel on every instruction set.
constexpr std::size_t kPanels = 64;

// c (m, n) = [c +] sum over segments s and k of A(i, s, k) * B(s * k_count + k, j) [+ bias (n)]
//   c(i, j)    = c.data[i * c.row + j]
//   A(i, s, k) = a.data[rows(i) + segments[s] + k * a.k], with rows(i) = a.rows ? a.rows[i] : i * a.row
//   B(r, j)    = b.data[(j / panel) * b.panel + r * b.k + j % panel]
// A dense product has one segment. A convolution names its positions by the offsets of rows and its taps by
// segments, and its weight gradient swaps the two, so no im2col copy is made. Products are added in order of
// s, then k.
struct Gemm {
  struct {
    float* data;
    std::size_t row;
  } c;
  struct {
    const float* data;
    std::ptrdiff_t row = 0, k = 1;
    const std::ptrdiff_t* rows = nullptr;  // (m), or null
  } a;
  struct {
    const std::ptrdiff_t* data = nullptr;  // (count), or null for a single segment at 0
    std::size_t count = 1;
  } segments = {};
  struct {
    const float* data;
    std::size_t k, panel;
  } b;
  const float* bias = nullptr;  // (n), or null
  struct {
    std::size_t m, n, k;
  } size;
  bool accumulate = false;   // start from c instead of zero
  bool b_is_finite = false;  // so products with a zero of A add nothing, and may be left out
  float* scratch;            // Kernels::gemm_scratch floats
};

// Channels [0, n) of a depthwise convolution of one padded image, whose arrays have ld channels:
//   y(p, c) = sum over t of x[positions[p] + taps[t] + c] * w[t * ld + c], with y(p, c) at y[p * ld + c]
struct Depthwise {
  const std::ptrdiff_t* positions;
  std::size_t m;
  const std::ptrdiff_t* taps;
  std::size_t tap_count;
  std::size_t ld, n;
};

// One row of tiles of 2 x 2 outputs, in an image of `columns` outputs a row.
struct WinogradRow {
  std::size_t tiles, rows, columns, filters;  // rows: 2, or 1 where the image ends
};
constexpr std::size_t kWinogradElements = 16;  // of the form of a tile or kernel

// Pooling of one sample x (in_h, in_w, channels) -> y (out_h, out_w, channels). Windows start at
// (oy * stride_h - pad_top, ox * stride_w - pad_left) and are clipped to the image.
struct Pool2D {
  std::size_t in_h, in_w, channels, out_h, out_w;
  std::size_t pool_h, pool_w, stride_h, stride_w;
  std::size_t pad_top, pad_left;
};

// A convolution with bias, optional ReLU and non-overlapping max pooling of one sample:
// x (in_h, in_w, channels) -> y (out_h, out_w, filters). Kernel stride and dilation are 1, padding is valid.
struct ConvPool {
  std::size_t in_h, in_w, channels, filters, out_h, out_w;
  std::size_t kernel_h, kernel_w, pool_h, pool_w;
  bool relu;
};
// A pooling window: its number, and the first input that it reads.
struct PoolWindow {
  std::uint32_t number, corner;
};
// Windows of four positions are listed: first those to compute, then, in images of one channel and at most 64
// rows and columns, those that read nothing but +0. The last entry's number is the count of the former.
constexpr std::size_t listed_windows(const ConvPool& c) {
  return c.pool_h * c.pool_w == 4 ? c.out_h * c.out_w + 1 : 0;
}
struct ConvPoolBatch {
  std::size_t samples, kept_stride;  // bytes of argmax, and of windows, from one sample to the next
  std::size_t filters;
};
constexpr std::size_t kMostPoolPositions = 255;  // of a window: one byte names them or none
// One channel and a 2x2 window have a fast form of conv_pool_gradient (not on the baseline).
constexpr bool has_quads(const ConvPool& c) { return c.channels == 1 && c.pool_h == 2 && c.pool_w == 2; }
// Floats of scratch for the gradient of a chunk: sums in double; of the fast form also the image four times
// and its sums.
constexpr std::size_t conv_pool_scratch(const ConvPool& c) {
  if (!has_quads(c)) return 2 * (c.kernel_h * c.kernel_w * c.channels + 1) * c.filters;
  const std::size_t blocks = ((c.kernel_h + 2) / 3) * ((c.kernel_w + 2) / 3),
                    filters = (c.filters + 63) / 64 * 64;
  return 4 * c.in_h * c.in_w + 30 * blocks * filters;
}

// y = f(x) and dx = dy * f', for arrays (rows, columns), whose shape matters to row activations alone. xy is
// what ActivationRow::reads names. settings: as many as the row has. y may be x, dx may be dy.
struct ActivationKernels {
  void (*forward)(float* y, const float* x, const float* settings, std::size_t rows, std::size_t columns);
  void (*backward)(float* dx, const float* dy, const float* xy, const float* settings, std::size_t rows,
                   std::size_t columns);
};

// value (rows), target and x (rows, columns), dx[r, :] = scale[r] * d value[r] / d x[r, :]. A sparse target
// is (rows): class numbers as floats. dx may be null, and may be x. settings: as many as the row has.
using LossKernel = void (*)(float* value, float* dx, const float* target, const float* x, const float* scale,
                            const float* settings, std::size_t rows, std::size_t columns);

// value (rows); target and y as for losses. settings: as many as the row has.
using MetricKernel = void (*)(float* value, const float* target, const float* y, const float* settings,
                              std::size_t rows, std::size_t columns);

// What predictions are counted at.
struct Thresholds {
  const float* values;  // (count), ascending
  std::size_t count;
  bool even;         // values[i] is about i / (count - 1), and predictions lie in [0, 1]
  bool from_logits;  // predictions are sigmoid(y)
};

// A step over a run of n parameters: one pointer a moment, the share of w that decays before it, and the
// row's scalars of the step.
using UpdateKernel = void(float* w, float* const* moment, const float* g, float decay, const float* scalars,
                          std::size_t n);

// An affine map of each column: arrays of a number for each. u_scale: where there is a u.
struct ColumnAffine {
  const float *mean, *scale, *offset, *u_scale;
};

// Of a row: its mean; rstd = 1 / sqrt(variance + epsilon); what the rounding of the mean has left, times
// -rstd.
constexpr std::size_t kRowMoments = 3;

struct Kernels {
  const char* isa;    // "baseline", "avx2", "avx512" or "neon"
  std::size_t lanes;  // floats in a vector
  std::size_t panel;  // columns in a packed panel of B
  std::size_t gemm_scratch;

  // ---- gemm.hpp
  // Panels of B for Gemm: dst[(j / panel) * dst_panel + r * panel + j % panel] = b[r * ld + j] for r < k;
  // columns from n to the end of the last panel are zero. Tells whether all are finite. pack_transposed reads
  // b[j * ld + r].
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
  // dw += the gradient; its rows, of a tap each, are dw_row apart
  void (*depthwise_gradient)(float* dw, std::size_t dw_row, const float* x, const float* dy,
                             const Depthwise& d);

  // ---- winograd.hpp; the 16 elements of a form are `element` floats apart.
  // u: filters [first, last) of the kernel w (3, 3, channels, filters), each element (channels, filters) in
  // panels, as written by `pack`; `first` is a multiple of 16.
  void (*winograd_kernel)(float* u, std::size_t element, const float* w, std::size_t channels,
                          std::size_t filters, std::size_t first, std::size_t last);
  // du (16, channels, filters)
  void (*winograd_kernel_gradient)(float* dw, const float* du, std::size_t channels, std::size_t filters);
  // v, each element (tiles, channels), of 4 rows of inputs, which are `row` floats apart
  void (*winograd_input)(float* v, std::size_t element, const float* x, std::size_t row, std::size_t channels,
                         std::size_t tiles);
  // dx += the gradient
  void (*winograd_input_gradient)(float* dx, std::size_t row, const float* dv, std::size_t element,
                                  std::size_t channels, std::size_t tiles);
  // y, one or two rows of outputs, of m, each element (tiles, filters). False if any is not finite.
  bool (*winograd_output)(float* y, const float* m, std::size_t element, const float* bias,
                          const WinogradRow& r);
  // y and argmax (tiles, filters) of the maxima of whole tiles, as conv_pool; argmax may be null.
  bool (*winograd_pooled_output)(float* y, std::uint8_t* argmax, const float* m, std::size_t element,
                                 const float* bias, std::size_t tiles, std::size_t filters, bool relu);
  void (*winograd_output_gradient)(float* dm, std::size_t element, const float* dy, const WinogradRow& r);

  // ---- activation.hpp, softmax.hpp; indexed by Activation
  const ActivationKernels* activation;

  // ---- loss.hpp; indexed by Loss
  const LossKernel* loss;

  // ---- metric.hpp; indexed by Metric, null for those made of counts
  const MetricKernel* metric;
  // code[i] = the number of thresholds that the prediction of y[i] exceeds, and count + 1 more where
  // target[i] is not 0. A NaN exceeds none.
  void (*encode)(float* code, const float* target, const float* y, const Thresholds& t, std::size_t n);

  // ---- pool2d.hpp; one sample
  void (*max_pool2d)(float* y, const float* x, const Pool2D& p);
  // dx = 0, then each dy is added to the first position of its window, in row-major order, where x equals y
  // (a NaN equals a NaN).
  void (*max_pool2d_backward)(float* dx, const float* dy, const float* x, const float* y, const Pool2D& p);
  // The mean over the part of the window that lies inside the image; halves of large windows are added.
  void (*average_pool2d)(float* y, const float* x, const Pool2D& p);
  void (*average_pool2d_backward)(float* dx, const float* dy, const Pool2D& p);

  // ---- conv_pool.hpp, conv_pool_gradient.hpp; one sample. argmax (out_h, out_w, filters): row-major
  // position in the pooling window, or a number that none has where ReLU gives no gradient.
  // w (kernel_h, kernel_w, channels, filters). windows: listed_windows(c).
  void (*conv_pool)(float* y, std::uint8_t* argmax, PoolWindow* windows, const float* x, const float* w,
                    const float* bias, const ConvPool& c);
  // dw (b.filters, taps), db (b.filters) = the gradients of the transposed kernel and the bias over a batch,
  // for filters that are side by side. dy (samples, out_h, out_w, filters) and argmax point to the first of
  // them. db may be null. windows may be null, which takes the slower form, whose scratch has room for dw and
  // db in double; else it is of conv_pool_scratch(c).
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
  // dgamma, dbeta += the gradients, row by row. dx may be null.
  void (*normalize_rows_backward)(float* dx, float* dgamma, float* dbeta, const float* dy, const float* x,
                                  const float* gamma, const float* moments, std::size_t rows, std::size_t n);

  // ---- random.hpp; keeps element i with probability 1 - rate and scales it by 1 / (1 - rate). The choice
  // depends on (key, first + i) alone. y may be x.
  void (*dropout)(float* y, const float* x, std::uint64_t key, std::uint64_t first, float rate,
                  std::size_t n);

  // ---- columns.hpp
  // y[j] = sum over i of x[i * ld + j], in order and in runs
  void (*column_sums)(float* y, const float* x, std::size_t rows, std::size_t columns, std::size_t ld);
  // y[j] = sum over i of u[i, j] * (x[i, j] - mean[j])
  void (*column_products)(float* y, const float* u, const float* x, const float* mean, std::size_t rows,
                          std::size_t columns);
  // The mean of each column, as its distance from the first row, and the sum of squares about it.
  void (*column_moments)(float* shift, float* squares, const float* x, std::size_t rows, std::size_t columns);
  // y = (x - mean) * scale + offset [+ u * u_scale]; y may be x or u
  void (*column_affine)(float* y, const float* x, const float* u, const ColumnAffine& c, std::size_t rows,
                        std::size_t columns);

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

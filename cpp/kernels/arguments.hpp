// What kernels take: descriptions of products, windows and columns, and the types of the functions that
// tables hold by number. Conventions are those of kernels.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../core/slack.hpp"

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
  std::size_t samples, saved_stride;  // bytes of argmax, and of windows, from one sample to the next
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

}  // namespace nncore

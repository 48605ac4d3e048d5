// Arguments of kernels: products, windows and columns, and the types of the functions in indexed tables.
// Conventions are those of kernels.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../core/slack.hpp"

namespace nncore {

// Sums over more than kShortSum rows are computed in runs of kRunRows, whose results are added in double. The
// error is then below 1e-6 of the sum of absolute values.
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
  bool b_is_finite = false;  // products with a zero of A add nothing and may be skipped
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
constexpr std::size_t kWinogradElements = 16;  // of the transform of a tile or kernel

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
// A pooling window: its index, and its first input.
struct PoolWindow {
  std::uint32_t number, corner;
};
// Length of the list of windows, which windows of four positions have. It holds first the windows to compute,
// then, in images of one channel and at most 64 rows and columns, those that read nothing but +0. The last
// entry holds the number of the former.
constexpr std::size_t listed_windows(const ConvPool& c) {
  return c.pool_h * c.pool_w == 4 ? c.out_h * c.out_w + 1 : 0;
}
struct ConvPoolBatch {
  std::size_t samples, saved_stride;  // bytes of argmax, and of windows, from one sample to the next
  std::size_t filters;
};
constexpr std::size_t kMostPoolPositions = 255;  // of a window: a byte holds a position or none
// One channel and a 2 x 2 window have a fast kernel for conv_pool_gradient (not on the baseline).
constexpr bool has_quads(const ConvPool& c) { return c.channels == 1 && c.pool_h == 2 && c.pool_w == 2; }
// Floats of scratch for the gradient of a chunk: sums as double; for the fast kernel also four images.
constexpr std::size_t conv_pool_scratch(const ConvPool& c) {
  if (!has_quads(c)) return 2 * (c.kernel_h * c.kernel_w * c.channels + 1) * c.filters;
  const std::size_t blocks = ((c.kernel_h + 2) / 3) * ((c.kernel_w + 2) / 3),
                    filters = (c.filters + 63) / 64 * 64;
  return 4 * c.in_h * c.in_w + 30 * blocks * filters;
}

// y = f(x) and dx = dy * f', for arrays (rows, columns); only row activations depend on their shape. xy is x
// or y, as ActivationRow::reads says. settings: as many as the row has. y may be x, dx may be dy or xy.
struct ActivationKernels {
  void (*forward)(float* y, const float* x, const float* settings, std::size_t rows, std::size_t columns);
  void (*backward)(float* dx, const float* dy, const float* xy, const float* settings, std::size_t rows,
                   std::size_t columns);
};

// An activation of a recurrent layer.
struct Gate {
  ActivationKernels kernels;
  const float* settings;
  bool reads_input;  // the slope reads z, not the value
};
constexpr std::size_t kGateScratch = 10;  // floats a unit of RecurrentStep::scratch
// One time step of some samples, a row each. Rows of saved arrays are `stride` floats apart, others are
// contiguous. x: z of all gates (rows, gates * units). r: null, or the recurrent part of z of a GRU that
// resets after its product. state: c of an LSTM, h of a GRU, before the step. candidate, reset (rows, units):
// of a GRU without r. h, c: h and c (rows, units), or backward their gradients: before the step in place of
// after it, without what comes through products. Rows whose mask is 0 keep h and c, and their z gets no
// gradient.
struct RecurrentStep {
  std::size_t rows, units, stride;
  Gate gate, cell;
  float *x, *r;
  const float *state, *candidate;
  float *reset, *h, *c, *scratch;
  const float* mask;  // or null
  std::size_t mask_stride;
};

// value (rows), target and x (rows, columns), dx[r, :] = scale[r] * d value[r] / d x[r, :]. A sparse target
// is (rows): class numbers as floats. dx may be null, and may be x. settings: as many as the row has.
using LossKernel = void (*)(float* value, float* dx, const float* target, const float* x, const float* scale,
                            const float* settings, std::size_t rows, std::size_t columns);

// value (rows); target and y as for losses. settings: as many as the row has.
using MetricKernel = void (*)(float* value, const float* target, const float* y, const float* settings,
                              std::size_t rows, std::size_t columns);

// Thresholds at which predictions are counted.
struct Thresholds {
  const float* values;  // (count), ascending
  std::size_t count;
  bool even;         // values[i] is about i / (count - 1), and predictions lie in [0, 1]
  bool from_logits;  // predictions are sigmoid(y)
};

// Updates n contiguous parameters. moment: one pointer for each moment. decay: the share of w to subtract
// first. scalars: those of the row for this step.
using UpdateKernel = void(float* w, float* const* moment, const float* g, float decay, const float* scalars,
                          std::size_t n);

// An affine map of each column: arrays with one number a column. u_scale is null without u.
struct ColumnAffine {
  const float *mean, *scale, *offset, *u_scale;
};

// The moments of a row: mean, rstd = 1 / sqrt(variance + epsilon), and the rounding error of the mean times
// -rstd.
constexpr std::size_t kRowMoments = 3;

}  // namespace nncore

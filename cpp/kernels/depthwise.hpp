// Depthwise convolution: each channel has its own kernel of taps. Vectors run over channels.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// Independent sums, which hide the latency of multiply-adds.
constexpr std::size_t kDepthwiseSums = 8;

template <std::size_t Positions>
inline void depthwise_positions(float* y, const float* x, const float* w, const float* bias,
                                const Depthwise& d, std::size_t first) {
  for_each_vector(d.n, [&](std::size_t c, std::size_t lanes) {
    const vec start = bias ? load(bias + c, lanes) : vec{};
    const float* x_p[Positions];
    vec acc[Positions];
    for (std::size_t p = 0; p < Positions; ++p) x_p[p] = x + d.positions[first + p] + c, acc[p] = start;
    for (std::size_t t = 0; t < d.tap_count; ++t) {
      const vec w_t = load(w + t * d.ld + c);
      for (std::size_t p = 0; p < Positions; ++p) acc[p] = fma(load(x_p[p] + d.taps[t], lanes), w_t, acc[p]);
    }
    for (std::size_t p = 0; p < Positions; ++p) store(y + (first + p) * d.ld + c, acc[p], lanes);
  });
}

inline void depthwise(float* y, const float* x, const float* w, const float* bias, const Depthwise& d) {
  std::size_t p = 0;
  for (; p + kDepthwiseSums <= d.m; p += kDepthwiseSums)
    depthwise_positions<kDepthwiseSums>(y, x, w, bias, d, p);
  for (; p < d.m; ++p) depthwise_positions<1>(y, x, w, bias, d, p);
}

inline void depthwise_input_gradient(float* dx, const float* dy, const float* w, const Depthwise& d) {
  for (std::size_t p = 0; p < d.m; ++p) {
    for_each_vector(d.n, [&](std::size_t c, std::size_t lanes) {
      const vec dy_p = load(dy + p * d.ld + c, lanes);
      float* to = dx + d.positions[p] + c;
      for (std::size_t t = 0; t < d.tap_count; ++t)
        store(to + d.taps[t], fma(dy_p, load(w + t * d.ld + c), load(to + d.taps[t], lanes)), lanes);
    });
  }
}

template <std::size_t Taps>
inline void depthwise_taps(float* dw, std::size_t dw_row, const float* x, const float* dy, const Depthwise& d,
                           std::size_t first) {
  for_each_vector(d.n, [&](std::size_t c, std::size_t lanes) {
    float* to = dw + first * dw_row + c;
    vec acc[Taps];
    for (std::size_t t = 0; t < Taps; ++t) acc[t] = load(to + t * dw_row, lanes);
    for (std::size_t p = 0; p < d.m; ++p) {
      const vec dy_p = load(dy + p * d.ld + c);
      const float* x_p = x + d.positions[p] + c;
      for (std::size_t t = 0; t < Taps; ++t) acc[t] = fma(load(x_p + d.taps[first + t]), dy_p, acc[t]);
    }
    for (std::size_t t = 0; t < Taps; ++t) store(to + t * dw_row, acc[t], lanes);
  });
}

inline void depthwise_gradient(float* dw, std::size_t dw_row, const float* x, const float* dy,
                               const Depthwise& d) {
  std::size_t t = 0;
  for (; t + kDepthwiseSums <= d.tap_count; t += kDepthwiseSums)
    depthwise_taps<kDepthwiseSums>(dw, dw_row, x, dy, d, t);
  for (; t + 3 <= d.tap_count; t += 3) depthwise_taps<3>(dw, dw_row, x, dy, d, t);
  for (; t < d.tap_count; ++t) depthwise_taps<1>(dw, dw_row, x, dy, d, t);
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

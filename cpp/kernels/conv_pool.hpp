// Convolution + bias + ReLU + non-overlapping max pooling in one pass, and its weight gradient.
//
// Only the pooled value and a one-byte argmax leave the registers: a quarter of the convolution's output and less for a
// 2x2 pool. Vectors run over filters. The convolution sums in the order of `gemm`, so the result has the same bits.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

inline void load_argmax(ivec& index, const std::uint8_t* p, std::size_t count) {
  for (std::size_t i = 0; i < kLanes; ++i) index[i] = i < count ? p[i] : 0;
}
inline void store_argmax(std::uint8_t* p, ivec index, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) p[i] = static_cast<std::uint8_t>(index[i]);
}

// Convolution outputs of Positions neighbours in a row of the image (x, x + channels, ...) for Vectors vectors of
// filters that start at w and bias.
template <std::size_t Positions, std::size_t Vectors>
inline void conv_tile(vec (&acc)[Positions][Vectors], const float* x, const float* w, const float* bias,
                      std::size_t tail, const ConvPool& c) {
  for (std::size_t j = 0; j < Vectors; ++j) {
    const vec start = bias ? load(bias + j * kLanes, j + 1 < Vectors ? kLanes : tail) : vec{};
    for (std::size_t q = 0; q < Positions; ++q) acc[q][j] = start;
  }
  const std::size_t row = c.kernel_w * c.channels;
  for (std::size_t kh = 0; kh < c.kernel_h; ++kh, x += c.in_w * c.channels) {
    for (std::size_t k = 0; k < row; ++k, w += c.filters) {
      vec w_j[Vectors];
      for (std::size_t j = 0; j < Vectors; ++j) w_j[j] = load(w + j * kLanes);
      for (std::size_t q = 0; q < Positions; ++q) {
        const vec x_q = broadcast(x[q * c.channels + k]);
        for (std::size_t j = 0; j < Vectors; ++j) acc[q][j] = fma(x_q, w_j[j], acc[q][j]);
      }
    }
  }
}

// Takes convolution outputs number q, q + 1, ... of a window into the running maximum. The first of equals wins; a NaN
// wins over all and stays.
template <std::size_t Positions, std::size_t Vectors>
inline void take_maximum(vec (&best)[Vectors], ivec (&index)[Vectors], const vec (&acc)[Positions][Vectors],
                         std::int32_t q) {
  for (std::size_t p = 0; p < Positions; ++p) {
    for (std::size_t j = 0; j < Vectors; ++j) {
      const ivec better = ~(acc[p][j] <= best[j]) & (best[j] == best[j]);
      best[j] = better ? acc[p][j] : best[j];
      index[j] = better ? ivec{} + (q + static_cast<std::int32_t>(p)) : index[j];
    }
  }
}

template <std::size_t Vectors>
inline void conv_pool_filters(float* y, std::uint8_t* argmax, const float* x, const float* w, const float* bias,
                              const ConvPool& c, std::size_t tail) {
  const std::size_t stride = c.in_w * c.channels;
  for (std::size_t oy = 0; oy < c.out_h; ++oy) {
    for (std::size_t ox = 0; ox < c.out_w; ++ox, y += c.filters, argmax += argmax ? c.filters : 0) {
      const float* corner = x + oy * c.pool_h * stride + ox * c.pool_w * c.channels;
      vec best[Vectors];
      ivec index[Vectors];
      for (std::size_t j = 0; j < Vectors; ++j) best[j] = vec{} - __builtin_inff(), index[j] = ivec{};
      std::int32_t q = 0;
      for (std::size_t py = 0; py < c.pool_h; ++py) {
        const float* at = corner + py * stride;
        std::size_t px = 0;
        for (; px + 2 <= c.pool_w; px += 2, q += 2) {
          vec acc[2][Vectors];
          conv_tile(acc, at + px * c.channels, w, bias, tail, c);
          take_maximum(best, index, acc, q);
        }
        if (px < c.pool_w) {
          vec acc[1][Vectors];
          conv_tile(acc, at + px * c.channels, w, bias, tail, c);
          take_maximum(best, index, acc, q++);
        }
      }
      for (std::size_t j = 0; j < Vectors; ++j) {
        const std::size_t lanes = j + 1 < Vectors ? kLanes : tail;
        if (c.relu) best[j] = best[j] < 0.0f ? vec{} : best[j];
        store(y + j * kLanes, best[j], lanes);
        if (argmax) store_argmax(argmax + j * kLanes, index[j], lanes);
      }
    }
  }
}

inline void conv_pool(float* y, std::uint8_t* argmax, const float* x, const float* w, const float* bias,
                      const ConvPool& c) {
  constexpr std::size_t kVectors = 2;
  for (std::size_t f = 0; f < c.filters; f += kVectors * kLanes) {
    const std::size_t columns = c.filters - f < kVectors * kLanes ? c.filters - f : kVectors * kLanes;
    const float* b = bias ? bias + f : nullptr;
    std::uint8_t* a = argmax ? argmax + f : nullptr;
    if (columns > kLanes)
      conv_pool_filters<2>(y + f, a, x, w + f, b, c, columns - kLanes);
    else
      conv_pool_filters<1>(y + f, a, x, w + f, b, c, columns);
  }
}

// One vector of filters and Rows consecutive taps of a kernel row (tap = kw * channels + channel): one of the pooled
// window's convolution outputs has a gradient, in each lane another one.
template <std::size_t Rows>
inline void gradient_rows(float* dw, const float* dz, const std::uint8_t* argmax, const float* x, const ConvPool& c,
                          std::size_t lanes) {
  const std::size_t stride = c.in_w * c.channels;
  vec acc[Rows];
  for (std::size_t r = 0; r < Rows; ++r) acc[r] = load(dw + r * c.filters, lanes);
  for (std::size_t oy = 0; oy < c.out_h; ++oy) {
    for (std::size_t ox = 0; ox < c.out_w; ++ox, dz += c.filters, argmax += c.filters) {
      const float* corner = x + oy * c.pool_h * stride + ox * c.pool_w * c.channels;
      const vec d = load(dz, lanes);
      ivec index;
      load_argmax(index, argmax, lanes);
      std::int32_t q = 0;
      for (std::size_t py = 0; py < c.pool_h; ++py) {
        for (std::size_t px = 0; px < c.pool_w; ++px, ++q) {
          const vec d_q = index == q ? d : vec{};
          const float* at = corner + py * stride + px * c.channels;
          for (std::size_t r = 0; r < Rows; ++r) acc[r] = fma(broadcast(at[r]), d_q, acc[r]);
        }
      }
    }
  }
  for (std::size_t r = 0; r < Rows; ++r) store(dw + r * c.filters, acc[r], lanes);
}

inline void conv_pool_gradient(float* dw, const float* dz, const std::uint8_t* argmax, const float* x,
                               const ConvPool& c, std::size_t first, std::size_t last) {
  const std::size_t taps = c.kernel_w * c.channels;
  for (std::size_t f = first; f < last; f += kLanes) {
    const std::size_t lanes = last - f < kLanes ? last - f : kLanes;
    for (std::size_t kh = 0; kh < c.kernel_h; ++kh) {
      const float* x_row = x + kh * c.in_w * c.channels;
      float* dw_row = dw + kh * taps * c.filters + f;
      std::size_t t = 0;
      for (; t + 8 <= taps; t += 8) gradient_rows<8>(dw_row + t * c.filters, dz + f, argmax + f, x_row + t, c, lanes);
      for (; t + 3 <= taps; t += 3) gradient_rows<3>(dw_row + t * c.filters, dz + f, argmax + f, x_row + t, c, lanes);
      for (; t < taps; ++t) gradient_rows<1>(dw_row + t * c.filters, dz + f, argmax + f, x_row + t, c, lanes);
    }
  }
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

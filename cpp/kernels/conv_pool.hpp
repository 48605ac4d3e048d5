// Convolution + bias + ReLU + non-overlapping max pooling in one pass, and its weight gradient.
//
// Only the pooled value and a one-byte argmax leave the registers: a quarter of the convolution's output and
// less for a 2x2 pool. Vectors run over filters. The convolution sums in the order of `gemm`, so the result
// has the same bits.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

inline void store_argmax(std::uint8_t* p, ivec index, std::size_t count) {
  if (count == kLanes) return store_bytes(p, index);
  std::uint8_t all[kLanes];
  store_bytes(all, index);
  for (std::size_t i = 0; i < count; ++i) p[i] = all[i];
}

// Positions of a pooling window whose convolutions are summed side by side: with the vectors of filters
// below, enough independent sums to hide the latency of fused multiply-add.
constexpr std::size_t kPositions = 4;
#if defined(__AVX512F__)
constexpr std::size_t kFilterVectors = 4;
#else
constexpr std::size_t kFilterVectors = 2;
#endif
constexpr std::size_t kMostPositions = 256;  // of a window: what one byte of argmax can name

// Offsets of the window's positions from its corner, in row-major order.
inline void window_offsets(std::size_t* offsets, const ConvPool& c) {
  for (std::size_t py = 0; py < c.pool_h; ++py)
    for (std::size_t px = 0; px < c.pool_w; ++px) *offsets++ = (py * c.in_w + px) * c.channels;
}

// Convolution outputs at x + offsets[0], x + offsets[1], ... for the filters that start at w and bias.
template <std::size_t Positions, std::size_t Vectors>
inline void conv_tile(vec (&acc)[Positions][Vectors], const float* x, const std::size_t* offsets,
                      const float* w, const float* bias, std::size_t tail, const ConvPool& c) {
  for (std::size_t j = 0; j < Vectors; ++j) {
    const vec start = bias ? load(bias + j * kLanes, j + 1 < Vectors ? kLanes : tail) : vec{};
    for (std::size_t q = 0; q < Positions; ++q) acc[q][j] = start;
  }
  const std::size_t row = c.kernel_w * c.channels;
  for (std::size_t kh = 0; kh < c.kernel_h; ++kh, x += c.in_w * c.channels) {
    const float* x_q[Positions];
    for (std::size_t q = 0; q < Positions; ++q) x_q[q] = x + offsets[q];
    for (std::size_t k = 0; k < row; ++k, w += c.filters) {
      vec w_j[Vectors];
      for (std::size_t j = 0; j < Vectors; ++j) w_j[j] = load(w + j * kLanes);
      for (std::size_t q = 0; q < Positions; ++q) {
        const vec value = broadcast(x_q[q][k]);
        for (std::size_t j = 0; j < Vectors; ++j) acc[q][j] = fma(value, w_j[j], acc[q][j]);
      }
    }
  }
}

// The maximum of a window of four and where it stands, if no output is NaN; false otherwise.
template <std::size_t Vectors>
inline bool maximum_of_four(vec (&best)[Vectors], ivec (&index)[Vectors], const vec (&acc)[4][Vectors]) {
  vec sum{};
  for (std::size_t j = 0; j < Vectors; ++j) {
    sum += (acc[0][j] + acc[1][j]) + (acc[2][j] + acc[3][j]);
    const vec m01 = acc[0][j] > acc[1][j] ? acc[0][j] : acc[1][j];
    const vec m23 = acc[2][j] > acc[3][j] ? acc[2][j] : acc[3][j];
    const vec m = m01 > m23 ? m01 : m23;
    ivec at = acc[2][j] == m ? ivec{} + 2 : ivec{} + 3;
    at = acc[1][j] == m ? ivec{} + 1 : at;
    index[j] = acc[0][j] == m ? ivec{} : at;
    best[j] = m;
  }
  return is_ordered(sum);
}

// Takes convolution outputs number q, q + 1, ... of a window into the running maximum. The first of equals
// wins; a NaN wins over all and stays.
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
inline void conv_pool_filters(float* y, std::uint8_t* argmax, const float* x, const float* w,
                              const float* bias, const ConvPool& c, std::size_t tail) {
  std::size_t offsets[kMostPositions];
  window_offsets(offsets, c);
  const std::size_t positions = c.pool_h * c.pool_w;
  for (std::size_t oy = 0; oy < c.out_h; ++oy) {
    for (std::size_t ox = 0; ox < c.out_w; ++ox, y += c.filters, argmax += argmax ? c.filters : 0) {
      const float* corner = x + (oy * c.pool_h * c.in_w + ox * c.pool_w) * c.channels;
      vec best[Vectors];
      ivec index[Vectors];
      const vec lowest = broadcast(-__builtin_inff());
      for (std::size_t j = 0; j < Vectors; ++j) best[j] = lowest, index[j] = ivec{};
      std::size_t q = 0;
      for (; q + kPositions <= positions; q += kPositions) {
        vec acc[kPositions][Vectors];
        conv_tile(acc, corner, offsets + q, w, bias, tail, c);
        if (positions == kPositions && maximum_of_four(best, index, acc)) continue;
        for (std::size_t j = 0; j < Vectors && positions == kPositions; ++j)
          best[j] = lowest, index[j] = ivec{};
        take_maximum(best, index, acc, static_cast<std::int32_t>(q));
      }
      for (; q < positions; ++q) {
        vec acc[1][Vectors];
        conv_tile(acc, corner, offsets + q, w, bias, tail, c);
        take_maximum(best, index, acc, static_cast<std::int32_t>(q));
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

// The widest group of filters that is left, then the rest.
template <std::size_t Vectors>
inline void conv_pool_from(std::size_t f, float* y, std::uint8_t* argmax, const float* x, const float* w,
                           const float* bias, const ConvPool& c) {
  for (; c.filters - f > (Vectors - 1) * kLanes; f += Vectors * kLanes) {
    const std::size_t columns = c.filters - f < Vectors * kLanes ? c.filters - f : Vectors * kLanes;
    conv_pool_filters<Vectors>(y + f, argmax ? argmax + f : nullptr, x, w + f, bias ? bias + f : nullptr, c,
                               columns - (Vectors - 1) * kLanes);
    if (c.filters - f <= Vectors * kLanes) return;
  }
  if constexpr (Vectors > 1) conv_pool_from<Vectors / 2>(f, y, argmax, x, w, bias, c);
}

inline void conv_pool(float* y, std::uint8_t* argmax, const float* x, const float* w, const float* bias,
                      const ConvPool& c) {
  conv_pool_from<kFilterVectors>(0, y, argmax, x, w, bias, c);
}

// One vector of filters and Rows consecutive taps of a kernel row (tap = kw * channels + channel), for any
// window: the gradient is spread over the window's positions, zero in all lanes but those whose maximum stood
// there.
template <std::size_t Rows>
inline void gradient_rows(float* dw, const float* dz, const std::uint8_t* argmax, const float* x,
                          const std::size_t* offsets, const ConvPool& c, std::size_t lanes) {
  vec acc[Rows] = {};
  for (std::size_t oy = 0; oy < c.out_h; ++oy) {
    for (std::size_t ox = 0; ox < c.out_w; ++ox, dz += c.filters, argmax += c.filters) {
      const float* corner = x + (oy * c.pool_h * c.in_w + ox * c.pool_w) * c.channels;
      const vec d = load(dz, lanes);
      // Whatever lies in the lanes beyond the last filter: their gradient is zero.
      const ivec index = load_bytes(argmax);
      for (std::size_t q = 0; q < c.pool_h * c.pool_w; ++q) {
        const vec d_q = index == static_cast<std::int32_t>(q) ? d : vec{};
        const float* at = corner + offsets[q];
        for (std::size_t r = 0; r < Rows; ++r) acc[r] = fma(broadcast(at[r]), d_q, acc[r]);
      }
    }
  }
  for (std::size_t r = 0; r < Rows; ++r, dw += c.filters) store(dw, load(dw, lanes) + acc[r], lanes);
}

inline void any_gradient(float* dw, const float* dz, const std::uint8_t* argmax, const float* x,
                         const ConvPool& c, std::size_t lanes) {
  std::size_t offsets[kMostPositions];
  window_offsets(offsets, c);
  const std::size_t taps = c.kernel_w * c.channels;
  for (std::size_t kh = 0; kh < c.kernel_h; ++kh, x += c.in_w * c.channels) {
    std::size_t t = 0;
    for (; t + 8 <= taps; t += 8, dw += 8 * c.filters)
      gradient_rows<8>(dw, dz, argmax, x + t, offsets, c, lanes);
    for (; t + 3 <= taps; t += 3, dw += 3 * c.filters)
      gradient_rows<3>(dw, dz, argmax, x + t, offsets, c, lanes);
    for (; t < taps; ++t, dw += c.filters) gradient_rows<1>(dw, dz, argmax, x + t, offsets, c, lanes);
  }
}

#if defined(__AVX2__)
// Two runs of floats, of which lane i takes low[at[i] & 3] or high[at[i] & 3]: high where bit kHighBit of
// `at` is set.
#if defined(__AVX512F__)
constexpr int kHighBit = 4;
struct Table {
  vec low, high;
  Table(const float* l, const float* h) : low(load(l)), high(load(h)) {}
  vec look_up(ivec at) const { return _mm512_permutex2var_ps(low, reinterpret_cast<__m512i>(at), high); }
};
#else
constexpr int kHighBit = 2;
struct Table {
  vec both;
  Table(const float* l, const float* h) : both(_mm256_loadu2_m128(h, l)) {}
  vec look_up(ivec at) const { return __builtin_shuffle(both, at); }
};
#endif

// A 2x2 window over one channel, kernel rows of at most three taps. A tap meets the inputs of two rows and
// two columns; each lane takes the one where its maximum stood, so there is one multiply-add for a tap, not
// four.
constexpr std::size_t kTableTaps = 3;
inline void table_gradient(float* dw, const float* dz, const std::uint8_t* argmax, const float* x,
                           const ConvPool& c, std::size_t lanes) {
  constexpr std::size_t kRows = 3;
  for (std::size_t first = 0; first < c.kernel_h; first += kRows) {
    const std::size_t rows = c.kernel_h - first < kRows ? c.kernel_h - first : kRows;
    vec acc[kRows][kTableTaps] = {};
    // Sums of rows and taps beyond the kernel are made from what lies there, and dropped.
    const std::size_t row_offset[kRows] = {first * c.in_w, (first + (rows > 1 ? 1 : 0)) * c.in_w,
                                           (first + rows - 1) * c.in_w};
    const float* d = dz;
    const std::uint8_t* a = argmax;
    for (std::size_t oy = 0; oy < c.out_h; ++oy) {
      for (std::size_t ox = 0; ox < c.out_w; ++ox, d += c.filters, a += c.filters) {
        const float* corner = x + oy * 2 * c.in_w + ox * 2;
        const vec value = load(d, lanes);
        const ivec at = load_bytes(a);
        const ivec index = (at & 1) + ((at & 2) << (kHighBit - 1));
        for (std::size_t r = 0; r < kRows; ++r) {
          const float* row = corner + row_offset[r];
          const Table table(row, row + c.in_w);
          for (std::size_t t = 0; t < kTableTaps; ++t)
            acc[r][t] = fma(table.look_up(index + static_cast<std::int32_t>(t)), value, acc[r][t]);
        }
      }
    }
    for (std::size_t r = 0; r < kRows; ++r)
      for (std::size_t t = 0; t < kTableTaps; ++t)
        if (r < rows && t < c.kernel_w) {
          float* to = dw + ((first + r) * c.kernel_w + t) * c.filters;
          store(to, load(to, lanes) + acc[r][t], lanes);
        }
  }
}
#endif

inline void conv_pool_gradient(float* dw, const float* dz, const std::uint8_t* argmax, const float* x,
                               const ConvPool& c, std::size_t first, std::size_t last) {
  for (std::size_t f = first; f < last; f += kLanes) {
    const std::size_t lanes = last - f < kLanes ? last - f : kLanes;
#if defined(__AVX2__)
    if (c.channels == 1 && c.kernel_w <= kTableTaps && c.pool_h == 2 && c.pool_w == 2) {
      table_gradient(dw + f, dz + f, argmax + f, x, c, lanes);
      continue;
    }
#endif
    any_gradient(dw + f, dz + f, argmax + f, x, c, lanes);
  }
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

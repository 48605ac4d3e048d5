// Convolution + bias + ReLU + non-overlapping max pooling in one pass.
//
// The convolution's output stays in registers; only the maximum of each window and its one-byte argmax are
// stored. Vectors run over filters. The convolution sums in the order of `gemm`, or by Winograd's transforms
// where a window is a Winograd tile.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"
#include "winograd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// Positions of a pooling window that are computed at once. With kFilterVectors this gives enough independent
// sums to hide the latency of multiply-adds, and no more than the registers hold beside the weights and one
// broadcast.
constexpr std::size_t kPositions = 4;
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr std::size_t kFilterVectors = 4;
#elif defined(__AVX2__)
constexpr std::size_t kFilterVectors = 3;
#else
constexpr std::size_t kFilterVectors = 2;
#endif
// The size of the next block if `vectors` remain; the last two blocks are as equal as possible.
constexpr std::size_t even_block(std::size_t vectors, std::size_t most) {
  return vectors <= most ? vectors : vectors < 2 * most ? (vectors + 1) / 2 : most;
}

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

// Updates the running maximum with the convolution outputs q, q + 1, ... of a window. Of equal values the
// first wins; the first NaN wins over all.
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

// Lists the windows to compute, then blank ones (all inputs +0), of which small one-channel images have many.
inline void list_windows(PoolWindow* list, const float* x, const ConvPool& c) {
  constexpr std::size_t kBits = 64;
  const std::size_t rows = c.kernel_h + c.pool_h - 1, columns = c.kernel_w + c.pool_w - 1;
  const bool seeks_blank = c.channels == 1 && c.in_h <= kBits && c.in_w <= kBits;
  std::uint64_t inputs[kBits];  // by row; bit i: input i is not +0
  for (std::size_t y = 0; seeks_blank && y < c.in_h; ++y) {
    inputs[y] = 0;
    for_each_vector(c.in_w, [&](std::size_t i, std::size_t lanes) {
      inputs[y] |= std::uint64_t{lane_bits(bits(load(x + y * c.in_w + i, lanes)) != 0)} << i;
    });
  }
  PoolWindow *used = list, *blank = list + c.out_h * c.out_w;
  std::uint32_t number = 0;
  for (std::size_t oy = 0; oy < c.out_h; ++oy) {
    std::uint64_t any = 0;  // bit i: an input of the window from column i on is not +0
    if (seeks_blank) {
      for (std::size_t r = 0; r < rows; ++r) any |= inputs[oy * c.pool_h + r];
      std::size_t seen = 1;
      for (; 2 * seen <= columns; seen *= 2) any |= any >> seen;
      any |= any >> (columns - seen);
    }
    std::size_t corner = oy * c.pool_h * c.in_w * c.channels;
    for (std::size_t ox = 0; ox < c.out_w; ++ox, any >>= c.pool_w, corner += c.pool_w * c.channels) {
      // The window is written to both ends without a branch, and only one end advances.
      const PoolWindow window{number++, static_cast<std::uint32_t>(corner)};
      const std::size_t is_used = seeks_blank ? any & 1 : 1;
      *used = window, blank[-1] = window;
      used += is_used, blank -= 1 - is_used;
    }
  }
  list[c.out_h * c.out_w] = {static_cast<std::uint32_t>(used - list), 0};
}

// One group of filters, with windows of any size.
template <std::size_t Vectors>
inline void conv_pool_any(float* y, std::uint8_t* argmax, const float* x, const float* w, const float* bias,
                          const ConvPool& c, std::size_t tail) {
  std::size_t offsets[kMostPoolPositions];
  window_offsets(offsets, c);
  const std::size_t positions = c.pool_h * c.pool_w;
  for (std::size_t oy = 0; oy < c.out_h; ++oy) {
    for (std::size_t ox = 0; ox < c.out_w; ++ox, y += c.filters, argmax += argmax ? c.filters : 0) {
      const float* corner = x + (oy * c.pool_h * c.in_w + ox * c.pool_w) * c.channels;
      vec best[Vectors];
      ivec index[Vectors] = {};
      for (std::size_t j = 0; j < Vectors; ++j) best[j] = broadcast(-__builtin_inff());
      std::size_t q = 0;
      for (; q + kPositions <= positions; q += kPositions) {
        vec acc[kPositions][Vectors];
        conv_tile(acc, corner, offsets + q, w, bias, tail, c);
        take_maximum(best, index, acc, static_cast<std::int32_t>(q));
      }
      for (; q < positions; ++q) {
        vec acc[1][Vectors];
        conv_tile(acc, corner, offsets + q, w, bias, tail, c);
        take_maximum(best, index, acc, static_cast<std::int32_t>(q));
      }
      for (std::size_t j = 0; j < Vectors; ++j) {
        const std::size_t lanes = j + 1 < Vectors ? kLanes : tail;
        if (c.relu) {
          index[j] = best[j] > 0.0f ? index[j] : ivec{} + static_cast<std::int32_t>(positions);
          best[j] = best[j] < 0.0f ? vec{} : best[j];
        }
        store(y + j * kLanes, best[j], lanes);
        if (argmax) store_bytes(argmax + j * kLanes, index[j], lanes);
      }
    }
  }
}

// With one channel, 3 x 3 taps and a 2 x 2 window, a window is a tile of winograd.hpp, with 16
// multiplications instead of 36. Some processors run its multiplications and additions on different units.
constexpr bool has_tiles(const ConvPool& c) { return has_quads(c) && c.kernel_h == 3 && c.kernel_w == 3; }

template <std::size_t N>
struct Count {
  static constexpr std::size_t value = N;
};

// The input transform of the tile at x, whose rows are `row` apart; the last row of elements is negated.
inline void transform_tile(float (&v)[kWinogradElements], const float* x, std::size_t row) {
  using four = float __attribute__((vector_size(16)));
  using four_any = float __attribute__((vector_size(16), aligned(4), may_alias));
  four t[4];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    const four r = *reinterpret_cast<const four_any*>(x + i * row);
    t[i] = __builtin_shufflevector(r, r, 0, 1, 2, 1) +
           __builtin_shufflevector(r, r, 2, 2, 1, 3) * four{-1.0f, 1.0f, -1.0f, -1.0f};
  }
  auto* to = reinterpret_cast<four_any*>(v);
  to[0] = t[0] - t[2], to[1] = t[1] + t[2], to[2] = t[2] - t[1], to[3] = t[3] - t[1];
}

// Vectors of filters that tile_outputs computes at once.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr std::size_t kTileVectorsAtOnce = 4;
#else
constexpr std::size_t kTileVectorsAtOnce = 2;
#endif

// The four outputs of a window for Vectors vectors of filters, from the transformed inputs v and kernels u,
// whose elements are `element` floats apart. The sums run over columns of elements.
template <std::size_t Vectors>
inline void tile_outputs(vec (&y)[Vectors][4], const float (&v)[kWinogradElements], const float* u,
                         std::size_t element) {
#pragma GCC unroll 4
  for (std::size_t j = 0; j < 4; ++j) {
    const vec v_0 = broadcast(v[j]), v_1 = broadcast(v[4 + j]), v_2 = broadcast(v[8 + j]),
              v_3 = broadcast(v[12 + j]);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < Vectors; ++i) {
      const float* u_j = u + i * kLanes + j * element;
      const vec second = v_1 * load(u_j + 4 * element), third = v_2 * load(u_j + 8 * element);
      const vec above = fma(v_0, load(u_j), second) + third,
                below = fma(v_3, load(u_j + 12 * element), second) - third;
      if (j == 0) y[i][0] = above, y[i][2] = below;
      if (j == 1) y[i][1] = above, y[i][3] = below;
      if (j == 1 || j == 2) y[i][0] += above, y[i][2] += below;
      if (j == 2 || j == 3) y[i][1] -= above, y[i][3] -= below;
    }
  }
}

// Windows of four positions, if no output can be NaN: two rounds of plain maxima. The first blank window is
// computed and copied to the others.
template <std::size_t Vectors, bool WithArgmax>
inline void conv_pool_four(float* y, std::uint8_t* argmax, const float* x, const float* w, const float* bias,
                           const PoolWindow* windows, const ConvPool& c, std::size_t tail) {
  std::size_t offsets[4];
  window_offsets(offsets, c);
  const vec lowest = broadcast(c.relu ? 0.0f : -__builtin_inff());
  const auto lanes = [&](std::size_t j) { return j + 1 < Vectors ? kLanes : tail; };
  const std::size_t count = c.out_h * c.out_w, used = windows[count].number,
                    computed = used < count ? used + 1 : used;
  // In training, other cores have read y in the last step and hold its cache lines.
  const auto prefetch = [&](std::size_t i) {
    if constexpr (!WithArgmax) return;
    const std::size_t to = windows[i < count ? i : count - 1].number * c.filters;
    for (std::size_t j = 0; j < Vectors; ++j) prefetch_for_write(y + to + j * kLanes);
  };
  // The bias is added to the maximum of a window.
  vec start[Vectors];
  for (std::size_t j = 0; j < Vectors; ++j) start[j] = bias ? load(bias + j * kLanes, lanes(j)) : vec{};
  // Stores the maximum and argmax of outputs a, b, d, e of a window, for vector j of filters.
  const auto put = [&](std::size_t to, std::size_t j, vec a, vec b, vec d, vec e) {
    const vec first = max(a, b), second = max(d, e), largest = max(first, second) + start[j];
    if constexpr (WithArgmax)
      store_argmax(argmax + to + j * kLanes, greater(second, first), greater(e, d), greater(b, a),
                   greater(largest, lowest), lanes(j));
    store(y + to + j * kLanes, max(largest, lowest), lanes(j));
  };
  if (has_tiles(c)) {
    constexpr std::size_t kElement = Vectors * kLanes;
    float u[kWinogradElements * kElement];
    for (std::size_t j = 0; j < Vectors; ++j) {
      vec taps[4][4] = {};
      for (std::size_t k = 0; k < 9; ++k) taps[k / 3][k % 3] = load(w + k * c.filters + j * kLanes, lanes(j));
      both_axes(taps, 3, kernel_transform);
      store_elements(u + j * kLanes, kElement, taps, kLanes);
    }
    constexpr std::size_t kAhead = 32;  // tiles are transformed in groups of this many
    float tiles[kAhead][kWinogradElements];
    for (std::size_t i = 0; i < computed; ++i) {
      for (std::size_t n = i; i % kAhead == 0 && n < i + kAhead && n < computed; ++n)
        transform_tile(tiles[n - i], x + windows[n].corner, c.in_w);
      const std::size_t to = windows[i].number * c.filters;
      prefetch(i + 3);
      const auto& tile = tiles[i % kAhead];
      const auto take = [&](auto vectors, std::size_t first) {
        vec a[decltype(vectors)::value][4];
        tile_outputs(a, tile, u + first * kLanes, kElement);
#pragma GCC unroll 4
        for (std::size_t j = 0; j < decltype(vectors)::value; ++j)
          put(to, first + j, a[j][0], a[j][1], a[j][2], a[j][3]);
      };
      constexpr std::size_t kMost = kTileVectorsAtOnce, kRest = Vectors % kMost;
      for (std::size_t j = 0; j + kMost <= Vectors; j += kMost) take(Count<kMost>{}, j);
      if constexpr (kRest > 0) take(Count<kRest>{}, Vectors - kRest);
    }
  } else {
    for (std::size_t i = 0; i < computed; ++i) {
      const std::size_t to = windows[i].number * c.filters;
      prefetch(i + 3);
      vec acc[4][Vectors];
      conv_tile(acc, x + windows[i].corner, offsets, w, nullptr, tail, c);
#pragma GCC unroll 4
      for (std::size_t j = 0; j < Vectors; ++j) put(to, j, acc[0][j], acc[1][j], acc[2][j], acc[3][j]);
    }
  }
  if (computed == count) return;
  const std::size_t from = windows[used].number * c.filters;
  vec value[Vectors];
  ivec index[Vectors] = {};
  for (std::size_t j = 0; j < Vectors; ++j) {
    value[j] = load(y + from + j * kLanes, lanes(j));
    if constexpr (WithArgmax) {
      std::uint8_t bytes[kLanes] = {};  // another thread may write the bytes that follow in memory
      for (std::size_t i = 0; i < lanes(j); ++i) bytes[i] = argmax[from + j * kLanes + i];
      index[j] = load_bytes(bytes);
    }
  }
  for (std::size_t i = computed; i < count; ++i) {
    const std::size_t to = windows[i].number * c.filters;
    prefetch(i + 8);
    for (std::size_t j = 0; j < Vectors; ++j) {
      store(y + to + j * kLanes, value[j], lanes(j));
      if constexpr (WithArgmax) store_bytes(argmax + to + j * kLanes, index[j], lanes(j));
    }
  }
}

inline float sum_of_magnitudes(const float* x, std::size_t n) {
  Sum sum{};
  for_each_part(n, [&](std::size_t i, std::size_t lanes, std::size_t part) {
    sum.part[part] += abs(load(x + i, lanes));
  });
  return total(sum)[0];
}

// Whether no partial sum of an output can overflow, so that no output is NaN.
inline bool is_bounded(const float* x, const float* w, const float* bias, const ConvPool& c) {
  const float largest = sum_of_magnitudes(x, c.in_h * c.in_w * c.channels) *
                            sum_of_magnitudes(w, c.kernel_h * c.kernel_w * c.channels * c.filters) +
                        (bias ? sum_of_magnitudes(bias, c.filters) : 0.0f);
  return largest < 1e37f;
}

// The group of filters that starts at y, argmax, w and bias. windows: null if they are not listed or an
// output may be NaN.
template <std::size_t Vectors>
inline void conv_pool_group(float* y, std::uint8_t* argmax, const float* x, const float* w, const float* bias,
                            const PoolWindow* windows, const ConvPool& c, std::size_t filters) {
  if constexpr (Vectors > 1)
    if (filters <= (Vectors - 1) * kLanes)
      return conv_pool_group<Vectors - 1>(y, argmax, x, w, bias, windows, c, filters);
  const std::size_t tail = filters - (Vectors - 1) * kLanes;
  if (!windows) return conv_pool_any<Vectors>(y, argmax, x, w, bias, c, tail);
  const auto four = argmax ? conv_pool_four<Vectors, true> : conv_pool_four<Vectors, false>;
  four(y, argmax, x, w, bias, windows, c, tail);
}

inline void conv_pool(float* y, std::uint8_t* argmax, PoolWindow* windows, const float* x, const float* w,
                      const float* bias, const ConvPool& c) {
  if (listed_windows(c)) list_windows(windows, x, c);
  if (!listed_windows(c) || !is_bounded(x, w, bias, c)) windows = nullptr;
  for (std::size_t f = 0; f < c.filters;) {
    const std::size_t left = c.filters - f,
                      width = even_block((left + kLanes - 1) / kLanes, kFilterVectors) * kLanes,
                      filters = left < width ? left : width;
    conv_pool_group<kFilterVectors>(y + f, argmax ? argmax + f : nullptr, x, w + f, bias ? bias + f : nullptr,
                                    windows, c, filters);
    f += filters;
  }
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

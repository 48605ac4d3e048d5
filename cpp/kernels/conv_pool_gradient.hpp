// The gradients of convolution + ReLU + max pooling, by the kernel and by the image.
#pragma once

#include "conv_pool.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// Both gradients are sums of value * run, where a run is a kernel's worth of image or of weights: rows of
// kernel_w * channels contiguous floats. Vectors lie along the rows, so a multiply-add needs one load and the
// sums stay in registers. Only terms that are not zero are added: of each window one position, and none where
// ReLU gave 0. The bits of a mask name them.
struct Term {
  const float* from;
  float value;
};
// Of one filter, by window: the image from where its maximum stood.
struct ImageTerms {
  const float* x;
  const std::int32_t* at;  // kLanes apart, as dz; an image has at most 2^27 elements
  const float* dz;
  Term operator()(std::size_t i) const { return {x + at[i * kLanes], dz[i * kLanes]}; }
};
// Of one position, by filter: the weights.
struct KernelTerms {
  const float* w;
  const float* dz;
  std::size_t taps;
  Term operator()(std::size_t i) const { return {w + i * taps, dz[i]}; }
};

// Sums that are kept in registers: of up to three rows.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr std::size_t kMostSums = 24;
#else
constexpr std::size_t kMostSums = 12;
#endif

// Rows and vectors of `to` += those of the terms pick(i), for the bits i of the mask in order; it is not 0.
template <std::size_t Rows, std::size_t Vectors, class Pick>
inline void add_block(float* to, std::size_t to_row, std::uint64_t mask, const Pick pick, std::size_t at,
                      std::size_t from_row, std::size_t tail) {
  const auto lanes = [&](std::size_t j) { return j + 1 < Vectors ? kLanes : tail; };
  vec acc[Rows][Vectors];
  for (std::size_t r = 0; r < Rows; ++r)
    for (std::size_t j = 0; j < Vectors; ++j) acc[r][j] = load(to + r * to_row + j * kLanes, lanes(j));
  do {
    const Term term = pick(static_cast<std::size_t>(__builtin_ctzll(mask)));
    const float* from = term.from + at;
    const vec value = broadcast(term.value);
    for (std::size_t r = 0; r < Rows; ++r, from += from_row)
      for (std::size_t j = 0; j < Vectors; ++j) acc[r][j] = fma(value, load(from + j * kLanes), acc[r][j]);
    mask &= mask - 1;
  } while (mask);
  for (std::size_t r = 0; r < Rows; ++r)
    for (std::size_t j = 0; j < Vectors; ++j) store(to + r * to_row + j * kLanes, acc[r][j], lanes(j));
}

template <std::size_t Rows, std::size_t Vectors, class Pick>
inline void add_vectors(float* to, std::size_t to_row, std::uint64_t mask, const Pick& pick, std::size_t at,
                        std::size_t from_row, std::size_t length) {
  if constexpr (Vectors > 1)
    if (length <= (Vectors - 1) * kLanes)
      return add_vectors<Rows, Vectors - 1>(to, to_row, mask, pick, at, from_row, length);
  add_block<Rows, Vectors>(to, to_row, mask, pick, at, from_row, length - (Vectors - 1) * kLanes);
}

template <std::size_t Rows, class Pick>
inline void add_rows(float* to, std::size_t to_row, std::uint64_t mask, const Pick& pick, std::size_t at,
                     std::size_t from_row, std::size_t length) {
  constexpr std::size_t most = kMostSums / Rows < 12 ? kMostSums / Rows : 12;
  while (length > 0) {
    const std::size_t width = even_block((length + kLanes - 1) / kLanes, most) * kLanes,
                      columns = length < width ? length : width;
    add_vectors<Rows, most>(to, to_row, mask, pick, at, from_row, columns);
    to += columns, at += columns, length -= columns;
  }
}

// to (rows, length) += the terms (rows, length); rows are to_row and from_row apart.
template <class Pick>
inline void add_terms(float* to, std::size_t to_row, std::uint64_t mask, const Pick& pick,
                      std::size_t from_row, std::size_t rows, std::size_t length) {
  if (!mask) return;
  std::size_t at = 0;
  for (; rows >= 3; rows -= 3, to += 3 * to_row, at += 3 * from_row)
    add_rows<3>(to, to_row, mask, pick, at, from_row, length);
  if (rows == 2) add_rows<2>(to, to_row, mask, pick, at, from_row, length);
  if (rows == 1) add_rows<1>(to, to_row, mask, pick, at, from_row, length);
}

// dw (lanes, taps) of as many filters += the gradient of one sample. Not inlined, since GCC 12 would then
// keep the sums of the table below in memory.
[[gnu::noinline]] inline void filter_gradients(float* dw, const float* dz, const std::uint8_t* argmax,
                                               const float* x, const std::size_t* offsets, const ConvPool& c,
                                               std::size_t lanes) {
  constexpr std::size_t kWindows = 32;  // a bit each
  const std::size_t row = c.kernel_w * c.channels, image_row = c.in_w * c.channels;
  const std::size_t positions = c.pool_h * c.pool_w;
  std::int32_t at[kWindows * kLanes];
  float value[kWindows * kLanes];
  std::size_t oy = 0, ox = 0;
  while (oy < c.out_h) {
    ivec used{};
    for (std::size_t i = 0; i < kWindows && oy < c.out_h; ++i, dz += c.filters, argmax += c.filters) {
      const std::size_t corner = (oy * c.pool_h * c.in_w + ox * c.pool_w) * c.channels;
      // Whatever lies in the lanes beyond the last filter.
      const ivec index = load_bytes(argmax);
      ivec from{};
      for (std::size_t q = 0; q < positions; ++q) {
        const ivec place = ivec{} + static_cast<std::int32_t>(corner + offsets[q]);
        from = index == static_cast<std::int32_t>(q) ? place : from;
      }
      const vec d = load(dz, lanes);
      used |= (d != vec{}) & (ivec{} + static_cast<std::int32_t>(1u << i));
      __builtin_memcpy(at + i * kLanes, &from, sizeof(from));
      store(value + i * kLanes, d);
      if (++ox == c.out_w) ox = 0, ++oy;
    }
    std::uint32_t mask[kLanes];
    __builtin_memcpy(mask, &used, sizeof(mask));
    for (std::size_t f = 0; f < lanes; ++f)
      add_terms(dw + f * c.kernel_h * row, row, mask[f], ImageTerms{x, at + f, value + f}, image_row,
                c.kernel_h, row);
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
  vec look_up(ivec at) const { return _mm256_permutevar8x32_ps(both, reinterpret_cast<__m256i>(at)); }
};
#endif

// A 2x2 window over one channel, kernel rows of at most three taps: vectors run over filters, and sums are of
// three kernel rows from x. A tap meets the inputs of two rows and two columns; each lane takes the one where
// its maximum stood.
constexpr std::size_t kTableRows = 3, kTableTaps = 3;
using TableSums = float[kTableRows][kTableTaps][kLanes];

// sums += the gradient of one sample. rows: those that the kernel has, at least one.
inline void add_table(TableSums& sums, const float* dz, const std::uint8_t* argmax, const float* x,
                      const ConvPool& c, std::size_t rows, std::size_t lanes) {
  vec acc[kTableRows][kTableTaps];
  for (std::size_t r = 0; r < kTableRows; ++r)
    for (std::size_t t = 0; t < kTableTaps; ++t) acc[r][t] = load(sums[r][t]);
  // Sums of rows and taps beyond the kernel are made from what lies there, and dropped.
  const std::size_t row_offset[kTableRows] = {0, rows > 1 ? c.in_w : 0, (rows - 1) * c.in_w};
  for (std::size_t oy = 0; oy < c.out_h; ++oy) {
    for (std::size_t ox = 0; ox < c.out_w; ++ox, dz += c.filters, argmax += c.filters) {
      const float* corner = x + oy * 2 * c.in_w + ox * 2;
      const vec value = load(dz, lanes);
      const ivec at = load_bytes(argmax);
      const ivec index = (at & 1) + ((at & 2) << (kHighBit - 1));
      for (std::size_t r = 0; r < kTableRows; ++r) {
        const float* row = corner + row_offset[r];
        const Table table(row, row + c.in_w);
        for (std::size_t t = 0; t < kTableTaps; ++t)
          acc[r][t] = fma(table.look_up(index + static_cast<std::int32_t>(t)), value, acc[r][t]);
      }
    }
  }
  for (std::size_t r = 0; r < kTableRows; ++r)
    for (std::size_t t = 0; t < kTableTaps; ++t) store(sums[r][t], acc[r][t]);
}

inline void table_gradient(float* dw, const float* dz, const std::uint8_t* argmax, const float* x,
                           const ConvPoolBatch& b, const ConvPool& c, std::size_t lanes) {
  for (std::size_t first = 0; first < c.kernel_h; first += kTableRows) {
    const std::size_t rows = c.kernel_h - first < kTableRows ? c.kernel_h - first : kTableRows;
    TableSums sums = {};
    for (std::size_t s = 0; s < b.samples; ++s)
      add_table(sums, dz + s * c.out_h * c.out_w * c.filters, argmax + s * b.argmax_stride,
                x + (s * c.in_h + first) * c.in_w, c, rows, lanes);
    for (std::size_t i = 0; i < lanes; ++i)
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t t = 0; t < c.kernel_w; ++t)
          dw[(i * c.kernel_h + first + r) * c.kernel_w + t] = sums[r][t][i];
  }
}
#endif

inline void conv_pool_gradient(float* dw, const float* dz, const std::uint8_t* argmax, const float* x,
                               const ConvPoolBatch& b, const ConvPool& c) {
  const std::size_t taps = c.kernel_h * c.kernel_w * c.channels;
#if defined(__AVX2__)
  if (c.channels == 1 && c.kernel_w <= kTableTaps && c.pool_h == 2 && c.pool_w == 2) {
    for (std::size_t f = 0; f < b.filters; f += kLanes)
      table_gradient(dw + f * taps, dz + f, argmax + f, x, b, c,
                     b.filters - f < kLanes ? b.filters - f : kLanes);
    return;
  }
#endif
  std::size_t offsets[kMostPositions];
  window_offsets(offsets, c);
  for (std::size_t i = 0; i < b.filters * taps; ++i) dw[i] = 0.0f;
  for (std::size_t s = 0; s < b.samples; ++s) {
    for (std::size_t f = 0; f < b.filters; f += kLanes)
      filter_gradients(dw + f * taps, dz + f, argmax + f, x, offsets, c,
                       b.filters - f < kLanes ? b.filters - f : kLanes);
    dz += c.out_h * c.out_w * c.filters, argmax += b.argmax_stride, x += c.in_h * c.in_w * c.channels;
  }
}

// For each position of a window, of up to 64 filters: those that have a gradient there.
inline void used_filters(std::uint64_t* masks, const float* dz, const std::uint8_t* argmax,
                         std::size_t filters, std::size_t positions) {
  for (std::size_t q = 0; q < positions; ++q) masks[q] = 0;
  for (std::size_t f = 0; f < filters; f += kLanes) {
    const ivec index = load_bytes(argmax + f);
    const ivec used = load(dz + f, filters - f < kLanes ? filters - f : kLanes) != vec{};
    for (std::size_t q = 0; q < positions; ++q)
      masks[q] |= std::uint64_t{lane_bits(used & (index == static_cast<std::int32_t>(q)))} << f;
  }
}

inline void conv_pool_input_gradient(float* dx, const float* dz, const std::uint8_t* argmax, const float* w,
                                     const ConvPool& c) {
  // A block of the kernel stays in the first-level cache while it meets many windows. Sums are in the order
  // of the blocks, so these do not depend on the instruction set.
  constexpr std::size_t kFilters = 64, kColumns = 144, kMasks = 512;
  const std::size_t row = c.kernel_w * c.channels, taps = c.kernel_h * row, image_row = c.in_w * c.channels;
  const std::size_t parts = (row + kColumns - 1) / kColumns, width = (row + parts - 1) / parts,
                    height = row < kColumns ? kColumns / row : 1;
  const std::size_t positions = c.pool_h * c.pool_w, windows = c.out_h * c.out_w, group = kMasks / positions;
  std::size_t offsets[kMostPositions];
  window_offsets(offsets, c);
  std::uint64_t masks[kMasks];

  // dx += the block of `rows` and `columns` of the kernel, for windows [first, last).
  const auto add = [&](float* to, const float* block, const float* d, std::size_t first, std::size_t last,
                       std::size_t rows, std::size_t columns) {
    const std::uint64_t* mask = masks;
    for (std::size_t o = first; o < last; ++o) {
      float* corner = to + (o / c.out_w * c.pool_h * c.in_w + o % c.out_w * c.pool_w) * c.channels;
      for (std::size_t q = 0; q < positions; ++q)
        add_terms(corner + offsets[q], image_row, *mask++, KernelTerms{block, d + o * c.filters, taps}, row,
                  rows, columns);
    }
  };

  for (std::size_t i = 0; i < c.in_h * image_row; ++i) dx[i] = 0.0f;
  for (std::size_t f = 0; f < c.filters; f += kFilters) {
    const std::size_t filters = c.filters - f < kFilters ? c.filters - f : kFilters;
    for (std::size_t first = 0; first < windows; first += group) {
      const std::size_t last = windows - first < group ? windows : first + group;
      for (std::size_t o = first; o < last; ++o)
        used_filters(masks + (o - first) * positions, dz + o * c.filters + f, argmax + o * c.filters + f,
                     filters, positions);
      for (std::size_t y = 0; y < c.kernel_h; y += height)
        for (std::size_t column = 0; column < row; column += width)
          add(dx + y * image_row + column, w + f * taps + y * row + column, dz + f, first, last,
              c.kernel_h - y < height ? c.kernel_h - y : height, row - column < width ? row - column : width);
    }
  }
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

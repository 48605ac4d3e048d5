// The gradients of convolution + ReLU + max pooling with respect to the kernel, the bias and the image.
#pragma once

#include "conv_pool.hpp"
#include "update.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// The kernel and image gradients are sums of terms value * patch. A patch is kernel_h rows of kernel_w *
// channels contiguous floats of the image or of the weights. Vectors run along its rows, so a multiply-add
// needs one load and sums stay in registers. A mask selects the nonzero terms: of each window the one at its
// argmax, or none where ReLU gave 0. (Quads, below, are faster for one channel.)
struct Term {
  const float* from;
  float value;
};
// The terms of one filter's kernel gradient: term i is dy of window i times the image patch at its argmax.
struct ImageTerms {
  const float* x;
  const std::int32_t* at;  // offsets, kLanes apart as dy; an image has at most 2^27 elements
  const float* dy;
  Term operator()(std::size_t i) const { return {x + at[i * kLanes], dy[i * kLanes]}; }
};
// The terms of the image gradient at one position: term i is dy of filter i times its weights (taps).
struct KernelTerms {
  const float* w;
  const float* dy;
  std::size_t taps;
  Term operator()(std::size_t i) const { return {w + i * taps, dy[i]}; }
};

// The vectors of sums that stay in registers, for up to three rows.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr std::size_t kMostSums = 24;
#else
constexpr std::size_t kMostSums = 12;
#endif

// to (Rows, Vectors) += the terms pick(i), from offset `at` on, for the bits i of a nonzero mask in order.
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

// to (rows, length) += the terms of a mask; rows of `to` and of patches are to_row and from_row apart.
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

// Windows [first, last) of a sample, a part of a sum over a batch. ends: the part is the last of its run.
struct Part {
  std::size_t sample, first, last;
  bool ends;
};
// Calls body(Part) for a whole batch. A run is whole samples or a part of one; a short sum is one run.
template <class Body>
inline void for_each_part_of_batch(std::size_t samples, std::size_t windows, Body body) {
  const bool is_long = samples * windows > kShortSum;
  const std::size_t together = is_long && windows > 0 && windows < kRunRows ? kRunRows / windows : 1,
                    run = is_long ? kRunRows : windows;
  for (std::size_t s = 0; s < samples; ++s)
    for (std::size_t first = 0; first < windows; first += run) {
      const std::size_t last = windows - first < run ? windows : first + run;
      body(Part{s, first, last, is_long && (last < windows || (s + 1) % together == 0 || s + 1 == samples)});
    }
}
// total += sums; sums = 0.
inline void move_to_total(double* total, float* sums, std::size_t n) {
  add_wide(total, sums, n);
  for (std::size_t i = 0; i < n; ++i) sums[i] = 0.0f;
}

// dw (lanes, taps) and db of as many filters += the gradients of windows [first, last) of one sample.
inline void filter_gradients(float* dw, float* db, const float* dy, const std::uint8_t* argmax,
                             const float* x, const std::size_t* offsets, const ConvPool& c, std::size_t lanes,
                             std::size_t first, std::size_t last) {
  constexpr std::size_t kWindows = 32;  // bits of a mask
  const std::size_t row = c.kernel_w * c.channels, image_row = c.in_w * c.channels;
  const std::size_t positions = c.pool_h * c.pool_w;
  std::int32_t at[kWindows * kLanes];
  float value[kWindows * kLanes];
  std::size_t oy = first / c.out_w, ox = first % c.out_w;
  dy += first * c.filters, argmax += first * c.filters;
  vec bias = db ? load(db, lanes) : vec{};
  while (first < last) {
    ivec used{};
    for (std::size_t i = 0; i < kWindows && first < last;
         ++i, ++first, dy += c.filters, argmax += c.filters) {
      const std::size_t corner = (oy * c.pool_h * c.in_w + ox * c.pool_w) * c.channels;
      // Lanes beyond the last filter hold arbitrary bytes.
      const ivec index = load_bytes(argmax);
      ivec from{};
      for (std::size_t q = 0; q < positions; ++q) {
        const ivec offset = ivec{} + static_cast<std::int32_t>(corner + offsets[q]);
        from = index == static_cast<std::int32_t>(q) ? offset : from;
      }
      const vec d = index < static_cast<std::int32_t>(positions) ? load(dy, lanes) : vec{};
      bias += d;
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
  if (db) store(db, bias, lanes);
}

#if defined(NNCORE_PICKS_LANES)
// With one channel and a 2x2 window, vectors run over filters. A tap reads four inputs of a window, and each
// lane picks the one at its argmax. For that the image is copied to quads, the four inputs of each position
// side by side. The sums of a block of taps stay in registers.
constexpr std::size_t kBlockRows = 3, kBlockTaps = 3, kBlockSums = kBlockRows * kBlockTaps + 1;
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr std::size_t kQuadVectors = 2;
#else
constexpr std::size_t kQuadVectors = 1;
#endif

// Writes quads (in_h - 1, in_w, 4). The last of each row is undefined; one past the end may be written.
inline void make_quads(float* quads, const float* x, const ConvPool& c) {
  using four = float __attribute__((vector_size(16)));
  using four_any = float __attribute__((vector_size(16), aligned(4), may_alias));
  for (std::size_t y = 0; y + 1 < c.in_h; ++y, x += c.in_w) {
    auto* row = reinterpret_cast<four_any*>(quads + 4 * y * c.in_w);
    for (std::size_t i = 0; i + 1 < c.in_w; i += 3) {
      const four above = *reinterpret_cast<const four_any*>(x + i),
                 below = *reinterpret_cast<const four_any*>(x + c.in_w + i);
      row[i] = __builtin_shufflevector(above, below, 0, 1, 4, 5);
      row[i + 1] = __builtin_shufflevector(above, below, 1, 2, 5, 6);
      row[i + 2] = __builtin_shufflevector(above, below, 2, 3, 6, 7);
    }
  }
}

// sums[j] += the gradients of a block of taps, row by row, then of the bias, for vector j of filters and a
// part of one sample's windows. Blank windows add to the bias alone, unless their dy is not finite. Taps
// beyond the kernel repeat its last tap; their sums are not used.
template <std::size_t Vectors>
inline void add_quads(float (*sums)[kBlockSums][kLanes], const float* dy, const std::uint8_t* argmax,
                      const PoolWindow* windows, const float* quads, std::size_t rows, std::size_t taps,
                      const ConvPool& c, std::size_t tail, const Part& part) {
  std::size_t at[kBlockRows * kBlockTaps];
  for (std::size_t r = 0; r < kBlockRows; ++r)
    for (std::size_t t = 0; t < kBlockTaps; ++t)
      at[r * kBlockTaps + t] = 4 * ((r < rows ? r : rows - 1) * c.in_w + (t < taps ? t : taps - 1));
  vec acc[Vectors][kBlockSums];
#pragma GCC unroll 2
  for (std::size_t j = 0; j < Vectors; ++j)
#pragma GCC unroll 10
    for (std::size_t i = 0; i < kBlockSums; ++i) acc[j][i] = load(sums[j][i]);

  vec value[Vectors];
  ivec index[Vectors];
  const auto add_bias = [&](std::size_t from) {
#pragma GCC unroll 2
    for (std::size_t j = 0; j < Vectors; ++j) {
      index[j] = load_bytes(argmax + from + j * kLanes);
      value[j] = load(dy + from + j * kLanes, j + 1 < Vectors ? kLanes : tail);
      value[j] = index[j] < 4 ? value[j] : vec{};
      acc[j][kBlockSums - 1] += value[j];
    }
  };
  const std::size_t listed = windows[c.out_h * c.out_w].number,
                    used = listed < part.last ? listed : part.last;
  for (std::size_t o = part.first; o < used; ++o) {
    add_bias(windows[o].number * c.filters);
    const float* corner = quads + 4 * windows[o].corner;
#pragma GCC unroll 9
    for (std::size_t i = 0; i + 1 < kBlockSums; ++i) {
      const vec four = broadcast_four(corner + at[i]);
#pragma GCC unroll 2
      for (std::size_t j = 0; j < Vectors; ++j) acc[j][i] = fma(pick(four, index[j]), value[j], acc[j][i]);
    }
  }
  vec nothing[Vectors] = {};  // sums of dy * 0: NaN where dy of a blank window is not finite
  for (std::size_t o = part.first < listed ? listed : part.first; o < part.last; ++o) {
    add_bias(windows[o].number * c.filters);
    for (std::size_t j = 0; j < Vectors; ++j) nothing[j] = fma(value[j], vec{}, nothing[j]);
  }
#pragma GCC unroll 2
  for (std::size_t j = 0; j < Vectors; ++j)
#pragma GCC unroll 9
    for (std::size_t i = 0; i + 1 < kBlockSums; ++i) acc[j][i] += nothing[j];
#pragma GCC unroll 2
  for (std::size_t j = 0; j < Vectors; ++j)
#pragma GCC unroll 10
    for (std::size_t i = 0; i < kBlockSums; ++i) store(sums[j][i], acc[j][i]);
}

inline void quad_gradient(float* dw, float* db, const float* dy, const std::uint8_t* argmax,
                          const PoolWindow* windows, const float* x, float* scratch, const ConvPoolBatch& b,
                          const ConvPool& c) {
  const std::size_t across = (c.kernel_w + kBlockTaps - 1) / kBlockTaps,
                    blocks = (c.kernel_h + kBlockRows - 1) / kBlockRows * across;
  const std::size_t vectors = (b.filters + kLanes - 1) / kLanes;
  float* quads = scratch;
  auto* sums = reinterpret_cast<float (*)[kBlockSums][kLanes]>(quads + 4 * c.in_h * c.in_w);
  const std::size_t size = blocks * vectors * kBlockSums * kLanes, count = c.out_h * c.out_w;
  float* const flat = quads + 4 * c.in_h * c.in_w;
  auto* const total = reinterpret_cast<double*>(flat + size);
  const bool is_long = b.samples * count > kShortSum;
  for (std::size_t i = 0; i < size; ++i) flat[i] = 0.0f;
  for (std::size_t i = 0; is_long && i < size; ++i) total[i] = 0.0;

  for_each_part_of_batch(b.samples, count, [&](const Part& part) {
    if (part.first == 0) make_quads(quads, x, c);
    for (std::size_t block = 0; block < blocks; ++block) {
      const std::size_t row = block / across * kBlockRows, tap = block % across * kBlockTaps;
      const float* from = quads + 4 * (row * c.in_w + tap);
      for (std::size_t v = 0; v < vectors; v += kQuadVectors) {
        const std::size_t f = v * kLanes, left = b.filters - f;
        const auto add = left > kLanes ? add_quads<kQuadVectors> : add_quads<1>;
        const std::size_t last = left < kQuadVectors * kLanes ? (left - 1) % kLanes + 1 : kLanes;
        add(sums + block * vectors + v, dy + f, argmax + f, windows, from, c.kernel_h - row, c.kernel_w - tap,
            c, last, part);
      }
    }
    if (part.ends) move_to_total(total, flat, size);
    if (part.last < count) return;
    dy += count * c.filters, x += c.in_h * c.in_w;
    argmax += b.saved_stride, windows += b.saved_stride / sizeof(PoolWindow);
  });
  for (std::size_t i = 0; is_long && i < size; ++i) flat[i] = static_cast<float>(total[i]);

  for (std::size_t f = 0; f < b.filters; ++f) {
    const auto sum = [&](std::size_t block, std::size_t i) {
      return sums[block * vectors + f / kLanes][i][f % kLanes];
    };
    for (std::size_t h = 0; h < c.kernel_h; ++h)
      for (std::size_t w = 0; w < c.kernel_w; ++w)
        *dw++ = sum(h / kBlockRows * across + w / kBlockTaps, h % kBlockRows * kBlockTaps + w % kBlockTaps);
    if (db) db[f] = sum(0, kBlockSums - 1);
  }
}
#endif

inline void conv_pool_gradient(float* dw, float* db, const float* dy, const std::uint8_t* argmax,
                               const PoolWindow* windows, const float* x, float* scratch,
                               const ConvPoolBatch& b, const ConvPool& c) {
#if defined(NNCORE_PICKS_LANES)
  if (windows && has_quads(c)) return quad_gradient(dw, db, dy, argmax, windows, x, scratch, b, c);
#else
  static_cast<void>(windows);
#endif
  const std::size_t taps = c.kernel_h * c.kernel_w * c.channels;
  std::size_t offsets[kMostPoolPositions];
  window_offsets(offsets, c);
  const std::size_t size = b.filters * taps, count = c.out_h * c.out_w, biases = db ? b.filters : 0;
  auto* const total = reinterpret_cast<double*>(scratch);
  const bool is_long = b.samples * count > kShortSum;
  for (std::size_t i = 0; i < size; ++i) dw[i] = 0.0f;
  for (std::size_t i = 0; i < biases; ++i) db[i] = 0.0f;
  for (std::size_t i = 0; is_long && i < size + biases; ++i) total[i] = 0.0;
  for_each_part_of_batch(b.samples, count, [&](const Part& part) {
    const std::size_t s = part.sample;
    for (std::size_t f = 0; f < b.filters; f += kLanes)
      filter_gradients(dw + f * taps, db ? db + f : nullptr, dy + s * count * c.filters + f,
                       argmax + s * b.saved_stride + f, x + s * c.in_h * c.in_w * c.channels, offsets, c,
                       b.filters - f < kLanes ? b.filters - f : kLanes, part.first, part.last);
    if (!part.ends) return;
    move_to_total(total, dw, size);
    if (db) move_to_total(total + size, db, biases);
  });
  for (std::size_t i = 0; is_long && i < size; ++i) dw[i] = static_cast<float>(total[i]);
  for (std::size_t i = 0; is_long && i < biases; ++i) db[i] = static_cast<float>(total[size + i]);
}

// Bit f of masks[q]: filter f, of up to 64, has a gradient at position q of a window.
inline void used_filters(std::uint64_t* masks, const float* dy, const std::uint8_t* argmax,
                         std::size_t filters, std::size_t positions) {
  for (std::size_t q = 0; q < positions; ++q) masks[q] = 0;
  for (std::size_t f = 0; f < filters; f += kLanes) {
    const ivec index = load_bytes(argmax + f);
    const ivec used = load(dy + f, filters - f < kLanes ? filters - f : kLanes) != vec{};
    for (std::size_t q = 0; q < positions; ++q)
      masks[q] |= std::uint64_t{lane_bits(used & (index == static_cast<std::int32_t>(q)))} << f;
  }
}

inline void conv_pool_input_gradient(float* dx, const float* dy, const std::uint8_t* argmax, const float* w,
                                     const ConvPool& c) {
  // A block of the kernel stays in the first-level cache for many windows. Sums run in the order of the
  // blocks, so the size of a block does not depend on the instruction set.
  constexpr std::size_t kFilters = 64, kColumns = 144, kMasks = 512;
  const std::size_t row = c.kernel_w * c.channels, taps = c.kernel_h * row, image_row = c.in_w * c.channels;
  const std::size_t parts = (row + kColumns - 1) / kColumns, width = (row + parts - 1) / parts,
                    height = row < kColumns ? kColumns / row : 1;
  const std::size_t positions = c.pool_h * c.pool_w, windows = c.out_h * c.out_w, group = kMasks / positions;
  std::size_t offsets[kMostPoolPositions];
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
        used_filters(masks + (o - first) * positions, dy + o * c.filters + f, argmax + o * c.filters + f,
                     filters, positions);
      for (std::size_t y = 0; y < c.kernel_h; y += height)
        for (std::size_t column = 0; column < row; column += width)
          add(dx + y * image_row + column, w + f * taps + y * row + column, dy + f, first, last,
              c.kernel_h - y < height ? c.kernel_h - y : height, row - column < width ? row - column : width);
    }
  }
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

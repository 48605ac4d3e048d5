// Matrix products: one register tile, used by dense and convolution layers in all three directions.
#pragma once

#include <utility>

#include "kernels.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// The register tile is kTileRows x (kTileVectors * kLanes): as many accumulators as the registers hold beside
// the vectors of B and one broadcast of A, and no more row pointers than there are general registers.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr std::size_t kTileRows = 6, kTileVectors = 4;
#else
constexpr std::size_t kTileRows = 6, kTileVectors = 2;
#endif
constexpr std::size_t kPanel = kTileVectors * kLanes;
static_assert(kPanels % kPanel == 0);
// Products are added in blocks of at most this many: a block of a panel of B lies in the first two levels of
// the cache, and sums are seldom put down and taken up again.
constexpr std::size_t kBlock = 256;
#if defined(__AVX512F__)
constexpr bool kFetchesAhead = true;  // its multiply-adds may outrun the third-level cache
#else
constexpr bool kFetchesAhead = false;
#endif
// Rows are taken in blocks of about as many elements of A, which stay in the second-level cache while all
// panels of B pass, but of kManyRows at least.
constexpr std::size_t kRowBlock = 64 * 1024;
// From this many rows on, a block of B that is not in panels is copied into one: its rows lie far apart,
// often in the same few sets of the first-level cache.
constexpr std::size_t kManyRows = 48;

inline void pack(float* dst, std::size_t dst_panel, const float* b, std::size_t k, std::size_t n,
                 std::size_t ld) {
  for (std::size_t j0 = 0; j0 < n; j0 += kPanel, dst += dst_panel, b += kPanel) {
    for (std::size_t r = 0; r < k; ++r)
      for (std::size_t v = 0; v < kTileVectors; ++v) {
        const std::size_t j = j0 + v * kLanes, lanes = j >= n ? 0 : n - j < kLanes ? n - j : kLanes;
        store(dst + r * kPanel + v * kLanes, lanes ? load(b + r * ld + v * kLanes, lanes) : vec{});
      }
  }
}

// Lanes of the low or high halves of two vectors in turn: a0 b0 a1 b1 ...
template <bool High, std::size_t... Lane>
inline vec interleave(vec a, vec b, std::index_sequence<Lane...>) {
  return __builtin_shufflevector(a, b, ((High ? kLanes / 2 : 0) + Lane / 2 + (Lane % 2 ? kLanes : 0))...);
}
template <bool High>
inline vec interleave(vec a, vec b) {
  return interleave<High>(a, b, std::make_index_sequence<kLanes>());
}

// Each round interleaves row i with row i + kLanes / 2; log2(kLanes) rounds turn rows into columns.
inline void transpose(vec (&x)[kLanes]) {
  for (std::size_t round = 1; round < kLanes; round *= 2) {
    vec y[kLanes];
    for (std::size_t i = 0; i < kLanes / 2; ++i) {
      y[2 * i] = interleave<false>(x[i], x[i + kLanes / 2]);
      y[2 * i + 1] = interleave<true>(x[i], x[i + kLanes / 2]);
    }
    for (std::size_t i = 0; i < kLanes; ++i) x[i] = y[i];
  }
}

inline void pack_transposed(float* dst, std::size_t dst_panel, const float* b, std::size_t k, std::size_t n,
                            std::size_t ld) {
  for (std::size_t j0 = 0; j0 < n; j0 += kPanel, dst += dst_panel) {
    for (std::size_t r = 0; r < k; r += kLanes) {
      const std::size_t rows = k - r < kLanes ? k - r : kLanes;
      for (std::size_t v = 0; v < kPanel; v += kLanes) {
        vec x[kLanes];
        for (std::size_t i = 0; i < kLanes; ++i)
          x[i] = j0 + v + i < n ? load(b + (j0 + v + i) * ld + r, rows) : vec{};
        transpose(x);
        for (std::size_t i = 0; i < rows; ++i) store(dst + (r + i) * kPanel + v, x[i]);
      }
    }
  }
}

// The part of a product that one call of `panel` adds: rows [row, row_last), segments [first, last), elements
// [k_first, k_last) of each.
struct Block {
  std::size_t row, row_last, first, last, k_first, k_last;
  bool initial;  // start from the bias or zero (or from c, if g.accumulate), not from c

  std::size_t rows_of_b() const { return (last - first) * (k_last - k_first); }
};

// Rows [row, row + Rows) and `columns` columns from `column`, which lie in Vectors vectors. b: the block of B
// for these columns, whose rows are b_k apart.
template <std::size_t Rows, std::size_t Vectors, bool Ahead>
inline void tile(const Gemm& g, const Block& block, const float* b, std::size_t b_k, std::size_t row,
                 std::size_t column, std::size_t columns) {
  const float* a[Rows];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < Rows; ++i)
    a[i] = g.a + (g.row_offsets ? g.row_offsets[row + i] : static_cast<std::ptrdiff_t>(row + i) * g.a_row);
  float* c = g.c + row * g.ldc + column;
  const std::size_t tail = columns - (Vectors - 1) * kLanes;
  // The first tiles fetch a part each of the block of B that follows in the panel.
  constexpr std::size_t kParts = kPanel < kLine ? 1 : kPanel / kLine;
  const std::size_t length = block.rows_of_b(), number = (row - block.row) / kTileRows;
  const float* next = b + length * kPanel + (number < kParts ? number : kParts - 1) * length * kLine;

  const auto lanes = [&](std::size_t j) { return j + 1 < Vectors ? kLanes : tail; };
  vec acc[Rows][Vectors];
  if (!block.initial || g.accumulate) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < Rows; ++i)
#pragma GCC unroll 4
      for (std::size_t j = 0; j < Vectors; ++j) acc[i][j] = load(c + i * g.ldc + j * kLanes, lanes(j));
  } else {
#pragma GCC unroll 4
    for (std::size_t j = 0; j < Vectors; ++j) {
      const vec start = g.bias ? load(g.bias + column + j * kLanes, lanes(j)) : vec{};
#pragma GCC unroll 8
      for (std::size_t i = 0; i < Rows; ++i) acc[i][j] = start;
    }
  }

  for (std::size_t s = block.first; s < block.last; ++s) {
    const std::ptrdiff_t segment = g.segments ? g.segments[s] : 0;
    const float* a_s[Rows];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < Rows; ++i) a_s[i] = a[i] + segment;
    std::ptrdiff_t at = static_cast<std::ptrdiff_t>(block.k_first) * g.a_k;
    for (const float* const b_last = b + (block.k_last - block.k_first) * b_k; b != b_last;
         at += g.a_k, b += b_k) {
      vec b_j[Vectors];
#pragma GCC unroll 4
      for (std::size_t j = 0; j < Vectors; ++j) b_j[j] = load(b + j * kLanes);
      if constexpr (Ahead) {
        __builtin_prefetch(next, 0, 2);
        next += kLine;
      }
#pragma GCC unroll 8
      for (std::size_t i = 0; i < Rows; ++i) {
        const vec a_i = broadcast(a_s[i][at]);
#pragma GCC unroll 4
        for (std::size_t j = 0; j < Vectors; ++j) acc[i][j] = fma(a_i, b_j[j], acc[i][j]);
      }
    }
  }

#pragma GCC unroll 8
  for (std::size_t i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (std::size_t j = 0; j + 1 < Vectors; ++j) store(c + i * g.ldc + j * kLanes, acc[i][j]);
    store(c + i * g.ldc + (Vectors - 1) * kLanes, acc[i][Vectors - 1], tail);
  }
}

// The last rows of a panel, at most a full tile.
template <std::size_t Rows, std::size_t Vectors, bool Ahead>
inline void last_rows(const Gemm& g, const Block& block, const float* b, std::size_t b_k, std::size_t row,
                      std::size_t column, std::size_t columns) {
  if constexpr (Rows > 0) {
    if (block.row_last - row == Rows)
      return tile<Rows, Vectors, Ahead>(g, block, b, b_k, row, column, columns);
    last_rows<Rows - 1, Vectors, Ahead>(g, block, b, b_k, row, column, columns);
  }
}

template <std::size_t Vectors, bool Ahead>
inline void panel(const Gemm& g, const Block& block, const float* b, std::size_t b_k, std::size_t column,
                  std::size_t columns) {
  if constexpr (Vectors > 1)
    if (columns <= (Vectors - 1) * kLanes)
      return panel<Vectors - 1, Ahead>(g, block, b, b_k, column, columns);
  // One or two rows more than a tile are cut into four and the rest: a tile of one or two has too few sums to
  // hide the latency of multiply-adds.
  std::size_t row = block.row, left = block.row_last - row;
  for (; left >= kTileRows && left != kTileRows + 1 && left != kTileRows + 2; left -= kTileRows) {
    tile<kTileRows, Vectors, Ahead>(g, block, b, b_k, row, column, columns);
    row += kTileRows;
  }
  if (left > kTileRows) {
    tile<4, Vectors, Ahead>(g, block, b, b_k, row, column, columns);
    row += 4;
  }
  last_rows<kTileRows, Vectors, Ahead>(g, block, b, b_k, row, column, columns);
}

// Adds a block of a product to columns [column, column_last) of c; column is the first of a panel.
inline void multiply_block(const Gemm& g, const Block& block, std::size_t column, std::size_t column_last) {
  float packed[kBlock * kPanel];
  for (; column < column_last; column += kPanel) {
    const std::size_t columns = g.n - column < kPanel ? g.n - column : kPanel;
    const float* b = g.b + column / kPanel * g.b_panel + (block.first * g.k + block.k_first) * g.b_k;
    if (g.b_k == kPanel && kFetchesAhead) {
      panel<kTileVectors, kFetchesAhead>(g, block, b, g.b_k, column, columns);
      continue;
    }
    std::size_t b_k = g.b_k;
    if (b_k > kPanel && g.m >= kManyRows) {
      pack(packed, 0, b, block.rows_of_b(), columns, b_k);
      b = packed, b_k = kPanel;
    }
    panel<kTileVectors, false>(g, block, b, b_k, column, columns);
  }
}

inline void gemm(const Gemm& g) {
  const std::size_t segments = g.segments ? g.segment_count : 1, products = segments * g.k;
  // Few columns and products are one block, and need no room for a copy of B on the stack.
  if (g.n <= kLanes && products <= kBlock && g.m < kManyRows)
    return panel<1, false>(g, {0, g.m, 0, segments, 0, g.k, true}, g.b, g.b_k, 0, g.n);

  // A block takes whole segments, or an even part of one. The last block of rows has
  // from half to one and a half as many as the others.
  const std::size_t parts = (g.k + kBlock - 1) / kBlock, length = parts > 1 ? (g.k + parts - 1) / parts : g.k,
                    together = parts > 1 || g.k == 0 ? 1 : kBlock / g.k;
  const std::size_t some = products < kRowBlock / kManyRows ? kRowBlock / (products + 1) : kManyRows,
                    rows = some / kTileRows * kTileRows;
  for (std::size_t row = 0, row_last = 0; row < g.m; row = row_last) {
    row_last = g.m - row < rows + rows / 2 ? g.m : row + rows;
    if (products <= kBlock) {
      multiply_block(g, {row, row_last, 0, products ? segments : 0, 0, g.k, true}, 0, g.n);
      continue;
    }
    for (std::size_t column = 0; column < g.n; column += kPanel)
      for (std::size_t s = 0; s < segments; s += together)
        for (std::size_t k = 0; k < g.k; k += length)
          multiply_block(g,
                         {row, row_last, s, segments - s < together ? segments : s + together, k,
                          g.k - k < length ? g.k : k + length, s == 0 && k == 0},
                         column, column + 1);
  }
}

// Rows and columns whose sums are kept side by side, so that a loaded vector serves several of them.
#if defined(__AVX512F__)
constexpr std::size_t kNarrowRows = 4, kNarrowColumns = 5;
#elif defined(__AVX2__) || defined(__aarch64__)
constexpr std::size_t kNarrowRows = 2, kNarrowColumns = 3;
#else
constexpr std::size_t kNarrowRows = 1, kNarrowColumns = 3;
#endif

template <std::size_t Rows, std::size_t Columns>
inline void narrow_tile(float* y, const float* x, const float* w, const float* bias, std::size_t n,
                        std::size_t k) {
  Sum sum[Rows][Columns] = {};
  const auto add = [&](std::size_t at, std::size_t part, auto read) {
    vec x_i[Rows];
    for (std::size_t i = 0; i < Rows; ++i) x_i[i] = read(x + i * k + at);
    for (std::size_t j = 0; j < Columns; ++j) {
      const vec w_j = read(w + j * k + at);
      for (std::size_t i = 0; i < Rows; ++i) sum[i][j].part[part] = fma(x_i[i], w_j, sum[i][j].part[part]);
    }
  };
  std::size_t at = 0;
  for (; at + kSumLanes <= k; at += kSumLanes)
    for (std::size_t p = 0; p < Sum::kParts; ++p)
      add(at + p * kLanes, p, [](const float* from) { return load(from); });
  for (std::size_t p = 0; at < k; at += kLanes, ++p) {
    const std::size_t lanes = k - at < kLanes ? k - at : kLanes;
    add(at, p, [lanes](const float* from) { return load(from, lanes); });
  }
  for (std::size_t i = 0; i < Rows; ++i)
    for (std::size_t j = 0; j < Columns; ++j) y[i * n + j] = total(sum[i][j])[0] + (bias ? bias[j] : 0.0f);
}

template <std::size_t Rows>
inline void narrow_rows(float* y, const float* x, const float* w, const float* bias, std::size_t n,
                        std::size_t k) {
  std::size_t j = 0;
  const auto take = [&](auto tile, std::size_t columns) {
    for (; j + columns <= n; j += columns) tile(y + j, x, w + j * k, bias ? bias + j : nullptr, n, k);
  };
  // A single row leaves registers for twice the columns, which are then read side by side.
  if constexpr (Rows < kNarrowRows) take(narrow_tile<Rows, 2 * kNarrowColumns>, 2 * kNarrowColumns);
  take(narrow_tile<Rows, kNarrowColumns>, kNarrowColumns);
  take(narrow_tile<Rows, 1>, 1);
}

inline void narrow_product(float* y, const float* x, const float* w, const float* bias, std::size_t m,
                           std::size_t n, std::size_t k) {
  std::size_t i = 0;
  for (; i + kNarrowRows <= m; i += kNarrowRows)
    narrow_rows<kNarrowRows>(y + i * n, x + i * k, w, bias, n, k);
  for (; i < m; ++i) narrow_rows<1>(y + i * n, x + i * k, w, bias, n, k);
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

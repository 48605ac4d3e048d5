// Matrix products by one register tile, for outputs and gradients of dense and convolution layers.
#pragma once

#include <bit>
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
// The most products that a block adds to each sum. A block of a panel of B fits the first two cache levels,
// and the sums are seldom stored and reloaded.
#if defined(__AVX512F__)
constexpr std::size_t kBlock = 512;
constexpr bool kPrefetchesB = true;  // AVX-512 multiply-adds may outrun the third-level cache
#else
constexpr std::size_t kBlock = 256;
constexpr bool kPrefetchesB = false;
#endif
// About the elements of A in a block of rows, which stay in the second-level cache for all panels of B. A
// block has at least kManyRows rows.
constexpr std::size_t kRowBlock = 64 * 1024;
// From this many rows on, a block of B that is not packed is packed first: its rows lie far apart, often in
// the same few sets of the first-level cache.
constexpr std::size_t kManyRows = 48;

// Elements of A that are zero in all rows of a tile (borders of images, one-hot inputs) add nothing if B is
// finite, and are skipped. A tile has a list for each block of k: the number of elements left, then their
// offsets in the block. A last panel of fewer than kTileVectors vectors skips nothing.
using List = std::uint16_t __attribute__((may_alias));
constexpr std::size_t kListRoom = 24 * 1024, kListedColumns = 128;
constexpr List kUnlisted = 0xFFFF;  // instead of a count: nothing is skipped
static_assert(kBlock < kUnlisted);
// One packed block of a panel of B, then the lists.
constexpr std::size_t kGemmScratch = kBlock * kPanel + kListRoom * sizeof(List) / sizeof(float);

inline bool pack(float* dst, std::size_t dst_panel, const float* b, std::size_t k, std::size_t n,
                 std::size_t ld) {
  vec sum{};  // of x * 0: NaN if any x is not finite
  for (std::size_t j0 = 0; j0 < n; j0 += kPanel, dst += dst_panel, b += kPanel) {
    for (std::size_t r = 0; r < k; ++r)
      for (std::size_t v = 0; v < kTileVectors; ++v) {
        const std::size_t j = j0 + v * kLanes, lanes = j >= n ? 0 : n - j < kLanes ? n - j : kLanes;
        const vec x = lanes ? load(b + r * ld + v * kLanes, lanes) : vec{};
        sum = fma(x, vec{}, sum);
        store(dst + r * kPanel + v * kLanes, x);
      }
  }
  return lane_bits(sum == vec{}) == (1u << kLanes) - 1;
}

// Interleaves the low or high halves of two vectors: a0 b0 a1 b1 ...
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
  bool initial;                 // start from the bias or zero (or from c, if g.accumulate), not from c
  const List* lists = nullptr;  // the first tile's, or null
  std::size_t lists_row = 0;    // distance from the lists of one tile to those of the next

  std::size_t rows_of_b() const { return (last - first) * (k_last - k_first); }
};

// How a tile runs over k: all elements, all while it prefetches the next block of B, or the listed ones.
enum class Walk { plain, prefetching, listed };

// Adds a block to rows [row, row + Rows) and `columns` columns from `column`, which lie in Vectors vectors.
// b: the block of B for these columns, whose rows are b_k apart. list: for Walk::listed.
template <std::size_t Rows, std::size_t Vectors, Walk walk>
inline void tile(const Gemm& g, const Block& block, const float* b, std::size_t b_k, std::size_t row,
                 std::size_t column, std::size_t columns, const List* list = nullptr) {
  const float* a[Rows];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < Rows; ++i)
    a[i] = g.a.data + (g.a.rows ? g.a.rows[row + i] : static_cast<std::ptrdiff_t>(row + i) * g.a.row);
  float* c = g.c.data + row * g.c.row + column;
  const std::size_t tail = columns - (Vectors - 1) * kLanes;
  // Each of the first kParts tiles prefetches a part of the panel's next block.
  constexpr std::size_t kParts = kPanel < kLine ? 1 : kPanel / kLine;
  const std::size_t length = block.rows_of_b(), number = (row - block.row) / kTileRows;
  const float* next = b + length * kPanel + (number < kParts ? number : kParts - 1) * length * kLine;

  const auto lanes = [&](std::size_t j) { return j + 1 < Vectors ? kLanes : tail; };
  vec acc[Rows][Vectors];
  if (!block.initial || g.accumulate) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < Rows; ++i)
#pragma GCC unroll 4
      for (std::size_t j = 0; j < Vectors; ++j) acc[i][j] = load(c + i * g.c.row + j * kLanes, lanes(j));
  } else {
#pragma GCC unroll 4
    for (std::size_t j = 0; j < Vectors; ++j) {
      // Sums do not start from -0: adding zeros would turn it into +0, and skipping them would not.
      const vec start = g.bias ? load(g.bias + column + j * kLanes, lanes(j)) + vec{} : vec{};
#pragma GCC unroll 8
      for (std::size_t i = 0; i < Rows; ++i) acc[i][j] = start;
    }
  }

  for (std::size_t s = block.first; s < block.last; ++s) {
    const std::ptrdiff_t segment = g.segments.data ? g.segments.data[s] : 0;
    const float* a_s[Rows];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < Rows; ++i) a_s[i] = a[i] + segment;
    const auto add = [&](std::ptrdiff_t at, const float* b_r) {
      vec b_j[Vectors];
#pragma GCC unroll 4
      for (std::size_t j = 0; j < Vectors; ++j) b_j[j] = load(b_r + j * kLanes);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < Rows; ++i) {
        const vec a_i = broadcast(a_s[i][at]);
#pragma GCC unroll 4
        for (std::size_t j = 0; j < Vectors; ++j) acc[i][j] = fma(a_i, b_j[j], acc[i][j]);
      }
    };
    std::ptrdiff_t at = static_cast<std::ptrdiff_t>(block.k_first) * g.a.k;
    if constexpr (walk == Walk::listed) {
      for (const List *r = list + 1, *last = r + *list; r != last; ++r)
        add(at + static_cast<std::ptrdiff_t>(*r) * g.a.k, b + *r * b_k);
    } else {
      for (const float* const b_last = b + (block.k_last - block.k_first) * b_k; b != b_last;
           at += g.a.k, b += b_k) {
        if constexpr (walk == Walk::prefetching) {
          __builtin_prefetch(next, 0, 2);
          next += kLine;
        }
        add(at, b);
      }
    }
  }

#pragma GCC unroll 8
  for (std::size_t i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (std::size_t j = 0; j + 1 < Vectors; ++j) store(c + i * g.c.row + j * kLanes, acc[i][j]);
    store(c + i * g.c.row + (Vectors - 1) * kLanes, acc[i][Vectors - 1], tail);
  }
}

// The rows of the next tile, if `left` rows of the block remain. One or two rows more than a full tile are
// split after four: a tile of one or two rows has too few sums to hide the latency of multiply-adds.
inline std::size_t tile_rows(std::size_t left) {
  if (left == kTileRows + 1 || left == kTileRows + 2) return 4;
  return left < kTileRows ? left : kTileRows;
}

template <std::size_t Rows, std::size_t Vectors, Walk walk>
inline void tile_of(std::size_t rows, const Gemm& g, const Block& block, const float* b, std::size_t b_k,
                    std::size_t row, std::size_t column, std::size_t columns, const List* list) {
  if constexpr (Rows > 0) {
    if (rows != Rows)
      return tile_of<Rows - 1, Vectors, walk>(rows, g, block, b, b_k, row, column, columns, list);
    if constexpr (Vectors == kTileVectors)
      if (list && *list != kUnlisted)
        return tile<Rows, Vectors, Walk::listed>(g, block, b, b_k, row, column, columns, list);
    tile<Rows, Vectors, walk>(g, block, b, b_k, row, column, columns);
  }
}

template <std::size_t Vectors, Walk walk>
inline void panel(const Gemm& g, const Block& block, const float* b, std::size_t b_k, std::size_t column,
                  std::size_t columns) {
  if constexpr (Vectors > 1)
    if (columns <= (Vectors - 1) * kLanes) return panel<Vectors - 1, walk>(g, block, b, b_k, column, columns);
  const List* list = block.lists;
  for (std::size_t row = block.row, rows; row < block.row_last; row += rows) {
    rows = tile_rows(block.row_last - row);
    tile_of<kTileRows, Vectors, walk>(rows, g, block, b, b_k, row, column, columns, list);
    if (list) list += block.lists_row;
  }
}

// Adds a block of the product to columns [column, column_last) of c; `column` is the first of a panel.
inline void multiply_block(const Gemm& g, const Block& block, std::size_t column, std::size_t column_last) {
  float* const packed = g.scratch;
  Block part = block;
  for (; column < column_last; column += kPanel) {
    const std::size_t columns = g.size.n - column < kPanel ? g.size.n - column : kPanel;
    const float* b =
        g.b.data + column / kPanel * g.b.panel + (block.first * g.size.k + block.k_first) * g.b.k;
    std::size_t b_k = g.b.k;
    bool finite = g.b_is_finite;
    if (b_k > kPanel && g.size.m >= kManyRows) {
      finite = pack(packed, 0, b, block.rows_of_b(), columns, b_k);
      b = packed, b_k = kPanel;
    }
    part.lists = finite ? block.lists : nullptr;
    if (g.b.k == kPanel && kPrefetchesB)
      panel<kTileVectors, Walk::prefetching>(g, part, b, b_k, column, columns);
    else
      panel<kTileVectors, Walk::plain>(g, part, b, b_k, column, columns);
  }
}

// The rows of A in a tile.
struct TileRows {
  const float* a[kTileRows];  // the last row is repeated if there are fewer
  std::ptrdiff_t a_k;

  TileRows(const Gemm& g, std::size_t row, std::size_t rows) : a_k(g.a.k) {
    for (std::size_t i = 0; i < kTileRows; ++i)
      a[i] = g.a.data + static_cast<std::ptrdiff_t>(row + (i < rows ? i : rows - 1)) * g.a.row;
  }
  // Whether element k is not zero in some row.
  bool is_used(std::size_t k) const {
    std::uint32_t any = 0;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kTileRows; ++i)
      any |= std::bit_cast<std::uint32_t>(a[i][static_cast<std::ptrdiff_t>(k) * a_k]);
    return any << 1 != 0;
  }
};

// Whether few elements of rows [row, row_last) could be skipped, estimated from a sample.
inline bool is_dense(const Gemm& g, std::size_t row, std::size_t row_last) {
  constexpr std::size_t kSample = 32;
  const std::size_t step = g.size.k * (row_last - row) / (kSample * kTileRows) + 1;
  std::size_t used = 0, seen = 0;
  for (std::size_t first = 0, rows; row < row_last; row += rows, ++first) {
    rows = tile_rows(row_last - row);
    const TileRows tile(g, row, rows);
    for (std::size_t k = first % step; k < g.size.k; k += step, ++seen) used += tile.is_used(k);
  }
  return used * 8 > seen * 7;
}

// Lists the used elements of [first, last), unless most are used.
inline void list_block(List* list, const TileRows& rows, std::size_t first, std::size_t last) {
  std::size_t count = 0;
  for (std::size_t k = first; k < last; ++k) {
    list[1 + count] = static_cast<List>(k - first);
    count += rows.is_used(k);
  }
  *list = count * 8 > (last - first) * 7 ? kUnlisted : static_cast<List>(count);
}

// Writes the lists of all tiles of rows [row, row_last), for blocks of `length` elements. False, without
// lists, if the rows are dense.
inline bool list_rows(List* list, const Gemm& g, std::size_t row, std::size_t row_last, std::size_t length) {
  if (is_dense(g, row, row_last)) return false;
  for (std::size_t rows; row < row_last; row += rows) {
    rows = tile_rows(row_last - row);
    const TileRows tile(g, row, rows);
    for (std::size_t k = 0; k < g.size.k; k += length, list += length + 1)
      list_block(list, tile, k, g.size.k - k < length ? g.size.k : k + length);
  }
  return true;
}

[[gnu::noinline]] void gemm_in_blocks(const Gemm& g, std::size_t segments, std::size_t products) {
  // A block is one or more whole segments, or an equal part of one. The last block of rows has 0.5 to 1.5
  // times as many rows as the others.
  const std::size_t parts = (g.size.k + kBlock - 1) / kBlock,
                    length = parts > 1 ? (g.size.k + parts - 1) / parts : g.size.k,
                    together = parts > 1 || g.size.k == 0 ? 1 : kBlock / g.size.k;
  const std::size_t target_rows = products < kRowBlock / kManyRows ? kRowBlock / (products + 1) : kManyRows,
                    rows = target_rows / kTileRows * kTileRows;
  const bool may_list = g.size.k > 0 && !g.segments.data && !g.a.rows && g.size.n >= kListedColumns &&
                        (g.b_is_finite || (g.b.k > kPanel && g.size.m >= kManyRows));
  auto* const lists = reinterpret_cast<List*>(g.scratch + kBlock * kPanel);
  const std::size_t lists_row = parts * (length + 1);
  for (std::size_t row = 0, row_last = 0; row < g.size.m; row = row_last) {
    row_last = g.size.m - row < rows + rows / 2 ? g.size.m : row + rows;
    const bool listed = may_list && ((row_last - row) / kTileRows + 2) * lists_row <= kListRoom &&
                        list_rows(lists, g, row, row_last, length);
    const auto block = [&](std::size_t s, std::size_t s_last, std::size_t k, std::size_t k_last) {
      return Block{row,
                   row_last,
                   s,
                   s_last,
                   k,
                   k_last,
                   s == 0 && k == 0,
                   listed ? lists + k / length * (length + 1) : nullptr,
                   lists_row};
    };
    if (products <= kBlock) {
      multiply_block(g, block(0, products ? segments : 0, 0, g.size.k), 0, g.size.n);
      continue;
    }
    for (std::size_t column = 0; column < g.size.n; column += kPanel)
      for (std::size_t s = 0; s < segments; s += together)
        for (std::size_t k = 0; k < g.size.k; k += length)
          multiply_block(g,
                         block(s, segments - s < together ? segments : s + together, k,
                               g.size.k - k < length ? g.size.k : k + length),
                         column, column + 1);
  }
}

inline void gemm(const Gemm& g) {
  const std::size_t segments = g.segments.data ? g.segments.count : 1, products = segments * g.size.k;
  // A small product is a single block.
  if (g.size.n <= kLanes && products <= kBlock && g.size.m < kManyRows)
    return panel<1, Walk::plain>(g, {0, g.size.m, 0, segments, 0, g.size.k, true}, g.b.data, g.b.k, 0,
                                 g.size.n);
  gemm_in_blocks(g, segments, products);
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

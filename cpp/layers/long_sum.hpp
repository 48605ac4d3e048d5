// Gradients that are sums over the rows of a whole batch.
#pragma once

#include <algorithm>

#include "../runtime/memory.hpp"
#include "../runtime/parallel.hpp"
#include "layer.hpp"

namespace nncore {

// Floats of Batch::scratch: scratch of products, a tile as float for a run, and a tile as double for the sum.
inline std::size_t gradient_scratch(const Kernels& k, std::size_t tile_floats) {
  return aligned(k.gemm_scratch) + 3 * aligned(tile_floats);
}
// The part behind the scratch of products.
inline float* sum_scratch(const Batch& b) { return b.scratch + aligned(b.kernels.gemm_scratch); }

// Writes a tile of a gradient that is a sum over `rows` rows, in runs of `run` rows if there are many.
// write(first, count, to, to_row) writes the sum over count rows to a tile; its rows are to_row floats apart.
template <class Write>
void sum_rows(const Batch& b, const Tile& t, std::size_t rows, std::size_t run, Write write) {
  if (rows <= kShortSum) return write(std::size_t{0}, rows, b.gradient, b.gradient_row);
  const std::size_t size = t.rows * t.columns;
  float* const sum = sum_scratch(b);
  auto* const total = reinterpret_cast<double*>(sum + aligned(size));
  std::fill_n(total, size, 0.0);
  for (std::size_t first = 0; first < rows && !ask_for_stop(); first += run) {
    write(first, std::min(run, rows - first), sum, t.columns);
    b.kernels.add_wide(total, sum, size);
  }
  for (std::size_t r = 0; r < t.rows; ++r)
    for (std::size_t c = 0; c < t.columns; ++c)
      b.gradient[r * b.gradient_row + c] = static_cast<float>(total[r * t.columns + c]);
}

// to (n) = the sum, in order, of the sums of `chunks` chunks, which lie `stride` floats apart.
inline void add_chunks(const Kernels& k, float* to, const float* sums, std::size_t stride, std::size_t chunks,
                       std::size_t n) {
  constexpr std::size_t kFewChunks = 128, kPiece = 256;
  if (chunks <= kFewChunks) {
    if (to != sums) std::copy_n(sums, n, to);
    for (std::size_t i = 1; i < chunks; ++i) k.add(to, sums + i * stride, n);
    return;
  }
  for (std::size_t first = 0; first < n; first += kPiece) {
    const std::size_t count = std::min(kPiece, n - first);
    double total[kPiece] = {};
    for (std::size_t i = 0; i < chunks; ++i) k.add_wide(total, sums + i * stride + first, count);
    for (std::size_t j = 0; j < count; ++j) to[first + j] = static_cast<float>(total[j]);
  }
}

}  // namespace nncore

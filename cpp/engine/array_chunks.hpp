// Chunks of rows of the user's arrays. They depend on shapes alone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "../runtime/parallel.hpp"
#include "../runtime/workspace.hpp"

namespace nncore {

// The cost of one row of some arrays.
struct RowCost {
  std::size_t columns;         // of the array whose chunks begin on cache lines, or 0
  std::size_t floats;          // of all arrays together
  std::size_t work;            // multiply-adds
  std::size_t parameters = 0;  // floats that each chunk reads again
};

// The smallest number of rows that fill whole cache lines.
inline std::size_t line_step(std::size_t columns) {
  constexpr std::size_t kLine = 16;
  return kLine / std::gcd(kLine, columns);
}

// Rows in a chunk. A chunk fills the first-level cache, about, and has at least so many rows that its
// products take `reuse` times as long as reading the parameters again.
inline std::size_t rows_in_chunk(std::size_t rows, const RowCost& row, std::size_t reuse = 64) {
  constexpr std::size_t kChunkFloats = 16 * 1024;
  const auto up = [](std::size_t n, std::size_t divisor) { return (n + divisor - 1) / divisor; };
  const std::size_t in_cache = kChunkFloats / std::max<std::size_t>(1, row.floats),
                    reused = up(reuse * row.parameters, std::max<std::size_t>(1, row.work));
  std::size_t chunks = up(rows, std::max({std::size_t{1}, in_cache, reused}));
  // Even shares for two and four threads.
  if (chunks > 1) chunks = chunks > 4 ? up(chunks, 4) * 4 : up(chunks, 2) * 2;
  const std::size_t step = line_step(row.columns);
  return std::max(step, up(up(rows, std::max<std::size_t>(1, chunks)), step) * step);
}

// n floats of an array that ends at `end`, followed by the kSlack readable floats that kernels expect: the
// array itself, or a copy in `room`.
inline const float* with_slack(const float* from, std::size_t n, const float* end, float* room) {
  return static_cast<std::size_t>(end - from) >= n + kSlack ? from : std::copy_n(from, n, room) - n;
}

struct ReadArray {
  const float* data;
  std::size_t columns;
};

// Calls body(first, count, pointers to these rows of each array) for chunks of rows, by a team if worth it.
template <std::size_t N, class Body>
void for_array_chunks(std::size_t rows, const RowCost& row, const ReadArray (&arrays)[N], Body body) {
  const std::size_t size = rows_in_chunk(rows, row);
  std::size_t own = 0;
  for (const ReadArray& a : arrays) own += aligned(size * a.columns) + kSlack;
  with_team(rows * row.work >= kTeamWork ? get_num_threads() : 1, [&] {
    const Workspace memory = borrow_floats(checked_floats(static_cast<std::size_t>(team_size()), own));
    parallel_for((rows + size - 1) / size, [&](std::size_t chunk, int worker) {
      const std::size_t first = chunk * size, count = std::min(size, rows - first);
      float* room = memory.get() + static_cast<std::size_t>(worker) * own;
      const float* at[N];
      for (std::size_t i = 0; i < N; ++i) {
        const auto [data, columns] = arrays[i];
        at[i] = with_slack(data + first * columns, count * columns, data + rows * columns, room);
        room += aligned(size * columns) + kSlack;
      }
      body(first, count, at);
    });
  });
}

}  // namespace nncore

// Rows of the user's arrays, cut into chunks that a team of threads works on in place.
#pragma once

#include <algorithm>
#include <cstddef>

#include "../runtime/parallel.hpp"
#include "../runtime/workspace.hpp"

namespace nncore {

// What one row of some arrays means.
struct RowCost {
  std::size_t past_end;        // floats in a row of the array that is read past its end, 0 if none is
  std::size_t floats;          // in a row of all arrays together
  std::size_t work;            // multiply-adds
  std::size_t parameters = 0;  // floats that are read again for each chunk
};

// Rows in chunks, which depend on shapes alone. Kernels may read kSlack floats past the end of a buffer, and
// the user's arrays have no such room: rows too close to their end make a last chunk, read from a copy.
class Cut {
 public:
  Cut(std::size_t rows, const RowCost& row);

  std::size_t rows() const { return rows_; }
  std::size_t copied_from() const { return copied_from_; }  // first row that is, or rows()
  std::size_t chunks() const { return in_place_ + (copied_from_ < rows_ ? 1 : 0); }
  std::size_t largest() const;  // rows in the largest chunk
  std::size_t first(std::size_t chunk) const { return chunk < in_place_ ? chunk * size_ : copied_from_; }
  std::size_t count(std::size_t chunk) const {
    return (chunk < in_place_ ? std::min(first(chunk) + size_, copied_from_) : rows_) - first(chunk);
  }
  std::size_t chunk_of(std::size_t row) const { return row < copied_from_ ? row / size_ : in_place_; }
  int threads() const { return threads_; }

 private:
  std::size_t rows_, size_, copied_from_, in_place_;
  int threads_;
};

// An array (cut.rows(), size) of the user, as kernels may read it.
class Readable {
 public:
  Readable(const float* data, const Cut& cut, std::size_t size);
  // Where a chunk of the cut starts.
  const float* row(std::size_t first) const {
    return first < copied_from_ ? data_ + first * size_ : copy_.get() + (first - copied_from_) * size_;
  }

 private:
  const float* data_;
  std::size_t size_, copied_from_;
  Workspace copy_;
};

// Calls body(first row, count, worker) for each chunk.
template <class Body>
void for_each_chunk(const Cut& cut, Body body) {
  parallel_for(cut.chunks(),
               [&](std::size_t chunk, int worker) { body(cut.first(chunk), cut.count(chunk), worker); });
}

}  // namespace nncore

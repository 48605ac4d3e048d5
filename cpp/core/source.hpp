// Reads rows of an array in the user's memory, of any real type, strides and byte order, as floats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "spec.hpp"

namespace nncore {

class Source {
 public:
  // kind: 'b' (bool), 'i', 'u' or 'f', with `item` bytes; swapped: not this machine's byte order. shape and
  // strides (in bytes) include the axis of rows. Throws std::invalid_argument for a type that cannot be read.
  Source(const void* data, char kind, std::size_t item, bool swapped, const std::vector<std::size_t>& shape,
         const std::vector<std::ptrdiff_t>& strides);
  // Rows side by side.
  Source(const float* data, std::size_t rows, const Shape& row);

  std::size_t rows() const { return rows_; }
  const Shape& row_shape() const { return row_shape_; }
  std::size_t row_size() const { return row_size_; }
  // Rows order[start], order[start + 1], ...; order null: start, start + 1, ...
  void read(float* to, const std::int64_t* order, std::size_t start, std::size_t count) const;

 private:
  using Convert = void (*)(float* to, const std::byte* from, std::ptrdiff_t stride, std::size_t n);

  float* read_axis(float* to, const std::byte* from, std::size_t axis) const;

  const std::byte* data_;
  Convert convert_;
  std::size_t rows_, row_size_;
  std::ptrdiff_t row_stride_;
  Shape row_shape_;
  Shape extents_;                        // the axes of a row; contiguous ones are merged
  std::vector<std::ptrdiff_t> strides_;  // of these axes, in bytes
};

}  // namespace nncore

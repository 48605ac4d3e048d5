// Numbers for the indices of some axes of a sample, repeated along the others.
#pragma once

#include <vector>

#include "layer.hpp"

namespace nncore {

// A sample is a matrix (rows, columns): the rows are the axes in front of the first that is kept.
class Broadcast {
 public:
  Broadcast(const Shape& sample, std::vector<bool> kept) : sample_(sample), kept_(std::move(kept)) {
    while (first_ < sample.size() && !kept_[first_]) rows_ *= sample_[first_++];
    for (std::size_t i = first_; i < sample.size(); ++i) {
      columns_ *= sample_[i];
      if (kept_[i]) count_ *= sample_[i];
    }
  }
  // Makes `at`; see Layer::prepare.
  void prepare() {
    if (!at_.empty()) return;
    std::vector<std::uint32_t> at = {0};
    for (std::size_t axis = first_; axis < sample_.size(); ++axis) {
      std::vector<std::uint32_t> next;
      next.reserve(at.size() * sample_[axis]);
      for (const std::uint32_t a : at)
        for (std::uint32_t i = 0; i < sample_[axis]; ++i)
          next.push_back(kept_[axis] ? a * static_cast<std::uint32_t>(sample_[axis]) + i : a);
      at.swap(next);
    }
    at_.swap(at);
  }

  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return columns_; }
  std::size_t count() const { return count_; }                        // of the numbers
  std::uint32_t at(std::size_t column) const { return at_[column]; }  // the number of a column

 private:
  Shape sample_;
  std::vector<bool> kept_;
  std::size_t first_ = 0, rows_ = 1, columns_ = 1, count_ = 1;
  std::vector<std::uint32_t> at_;
};

}  // namespace nncore

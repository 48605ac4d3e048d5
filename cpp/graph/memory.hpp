// Memory that values share when they are not alive at the same time.
#pragma once

#include <cstddef>
#include <vector>

namespace nncore {

// Floats a sample that are used from one moment to another, both included.
struct Lifetime {
  std::size_t size, first, last;
};

// Places for values of a few samples at a time, whose memory others take as soon as it is free.
class SharedMemory {
 public:
  SharedMemory() = default;
  explicit SharedMemory(std::vector<Lifetime> values);

  // Places all for `samples`. Does not allocate. Throws OutOfMemory where no memory could hold them.
  void fit(std::size_t samples);
  std::size_t at(std::size_t value) const { return blocks_[value].at; }
  std::size_t size() const { return size_; }
  // The most floats of a sample that are used at the same time.
  std::size_t peak() const;

 private:
  struct Block {
    Lifetime value;
    std::size_t at = 0, size = 0;
  };

  std::vector<Block> blocks_;
  std::vector<Block*> by_size_, placed_;  // from large to small; by place
  std::size_t samples_ = 0, size_ = 0;
};

}  // namespace nncore

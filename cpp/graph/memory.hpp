// A memory plan: values that are not alive at the same time share memory.
#pragma once

#include <cstddef>
#include <vector>

namespace nncore {

// A value of `size` floats a sample, alive from moment `first` to moment `last`, both included.
struct Lifetime {
  std::size_t size, first, last;
};

// Offsets in one buffer of the values of a few samples.
class SharedMemory {
 public:
  SharedMemory() = default;
  explicit SharedMemory(std::vector<Lifetime> values);

  // Computes the offsets without allocating. Throws OutOfMemory if no memory could hold so many samples.
  void fit(std::size_t samples);
  std::size_t at(std::size_t value) const { return blocks_[value].at; }
  std::size_t size() const { return size_; }
  // The most floats a sample that are alive at the same time.
  std::size_t peak() const;

 private:
  struct Block {
    Lifetime value;
    std::size_t at = 0, size = 0;
  };

  std::vector<Block> blocks_;
  std::vector<Block*> by_size_, placed_;  // from large to small; by offset
  std::size_t samples_ = 0, size_ = 0;
};

}  // namespace nncore

#include "memory.hpp"

#include <algorithm>

#include "../runtime/memory.hpp"

namespace nncore {

SharedMemory::SharedMemory(std::vector<Lifetime> values) {
  for (const Lifetime& value : values) blocks_.push_back({value});
  for (Block& block : blocks_)
    if (block.value.size) by_size_.push_back(&block);
  std::ranges::stable_sort(by_size_, std::ranges::greater{}, [](const Block* b) { return b->value.size; });
  placed_.reserve(by_size_.size());
}

// Large blocks come first, each at the lowest offset that is free during its lifetime.
void SharedMemory::fit(std::size_t samples) {
  if (samples == samples_) return;
  samples_ = size_ = 0;
  placed_.clear();
  for (Block* block : by_size_) {
    block->at = 0;
    block->size = aligned(checked_floats(samples, block->value.size));
    for (const Block* other : placed_)
      if (block->value.first <= other->value.last && other->value.first <= block->value.last &&
          block->at + block->size > other->at)
        block->at = std::max(block->at, other->at + other->size);
    size_ = std::max(size_, checked_floats(1, block->at + block->size));
    placed_.insert(std::ranges::upper_bound(placed_, block->at, {}, [](const Block* b) { return b->at; }),
                   block);
  }
  samples_ = samples;
}

std::size_t SharedMemory::peak() const {
  std::vector<std::size_t> begun, ended;  // floats that begin or have ended at each moment
  for (const Block& block : blocks_) {
    const std::size_t moments = std::max({begun.size(), block.value.first + 1, block.value.last + 2});
    begun.resize(moments);
    ended.resize(moments);
    begun[block.value.first] += block.value.size;
    ended[block.value.last + 1] += block.value.size;
  }
  std::size_t most = 0, floats = 0;
  for (std::size_t moment = 0; moment < begun.size(); ++moment) {
    floats += begun[moment] - ended[moment];
    most = std::max(most, floats);
  }
  return most;
}

}  // namespace nncore

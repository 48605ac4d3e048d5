#include "workspace.hpp"

#include <algorithm>
#include <mutex>
#include <vector>

namespace nncore {
namespace {

// Limits of the idle memory: 64 MiB in floats, and the number of blocks.
constexpr std::size_t kMostIdle = std::size_t{16} << 20, kMostBlocks = 64;
// Blocks start with a page, as the user's large arrays do or nearly do. Processors compare offsets in pages
// to detect reads of just-written data, and a read a little behind a write may falsely match (4K aliasing).
constexpr std::size_t kPage = 4096;

struct Block {
  FloatMemory memory;
  std::size_t size;
};

// The idle blocks, oldest first. A call that finds the lock taken, as always after some forks, allocates and
// frees instead.
class Idle {
 public:
  Idle() { blocks_.reserve(kMostBlocks); }  // so that put() does not allocate

  // A block of `size` to 2 * size floats, the smallest and of equal ones the newest; empty if there is none.
  Block take(std::size_t size) {
    const std::unique_lock hold(busy_, std::try_to_lock);
    if (!hold) return {};
    std::size_t best = blocks_.size();
    for (std::size_t i = 0; i < blocks_.size(); ++i)
      if (blocks_[i].size >= size && blocks_[i].size / 2 <= size &&
          (best == blocks_.size() || blocks_[i].size <= blocks_[best].size))
        best = i;
    return best == blocks_.size() ? Block{} : remove(best);
  }

  void put(Block block) {
    const std::unique_lock hold(busy_, std::try_to_lock);
    if (!hold || block.size > kMostIdle) return;
    while (floats_ + block.size > kMostIdle || blocks_.size() == kMostBlocks) remove(0);
    floats_ += block.size;
    blocks_.push_back(std::move(block));
  }

 private:
  Block remove(std::size_t i) {
    Block block = std::move(blocks_[i]);
    blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(i));
    floats_ -= block.size;
    return block;
  }

  std::mutex busy_;
  std::vector<Block> blocks_;
  std::size_t floats_ = 0;
};

// Never destroyed, as arrays may be freed after static objects are.
Idle& idle() {
  static auto* const blocks = new Idle;
  return *blocks;
}

}  // namespace

Workspace borrow_floats(std::size_t size) {
  if (size == 0) return {};
  Block block = idle().take(size);
  if (!block.memory) block = {allocate_floats(size, kPage), size};
  return {block.memory.release(), {block.size}};
}

void ReturnFloats::operator()(float* memory) const { idle().put({FloatMemory(memory), size}); }

}  // namespace nncore

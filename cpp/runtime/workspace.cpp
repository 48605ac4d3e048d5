#include "workspace.hpp"

#include <algorithm>
#include <vector>

namespace nncore {
namespace {

// Kept idle by one thread at most: 64 MiB, in so many blocks.
constexpr std::size_t kMostIdle = std::size_t{16} << 20, kMostBlocks = 16;

struct Block {
  FloatMemory memory;
  std::size_t size;
};

// The blocks that one thread keeps, oldest first.
struct Idle {
  std::vector<Block> blocks;
  std::size_t floats = 0;

  Block take(std::size_t i) {
    Block block = std::move(blocks[i]);
    blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(i));
    floats -= block.size;
    return block;
  }
};
thread_local Idle idle;

}  // namespace

Workspace borrow_floats(std::size_t size) {
  auto& blocks = idle.blocks;
  blocks.reserve(kMostBlocks);  // so that giving back does not allocate
  std::size_t best = blocks.size();
  for (std::size_t i = 0; i < blocks.size(); ++i)
    if (blocks[i].size >= size && (best == blocks.size() || blocks[i].size < blocks[best].size)) best = i;
  if (best == blocks.size()) return {allocate_floats(size).release(), {size}};
  Block block = idle.take(best);
  return {block.memory.release(), {block.size}};
}

void ReturnFloats::operator()(float* memory) const {
  FloatMemory owned(memory);
  if (size > kMostIdle) return;
  while (idle.floats + size > kMostIdle || idle.blocks.size() == kMostBlocks) idle.take(0);
  idle.blocks.push_back({std::move(owned), size});
  idle.floats += size;
}

}  // namespace nncore

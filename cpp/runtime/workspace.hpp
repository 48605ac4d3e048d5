// Memory of calls that come again: blocks that are given back are kept for the next call, so that it does not
// wait for fresh pages.
#pragma once

#include "memory.hpp"

namespace nncore {

struct ReturnFloats {
  std::size_t size = 0;
  void operator()(float* memory) const;
};
using Workspace = std::unique_ptr<float[], ReturnFloats>;

// As allocate_floats, from the start of a page on and in up to twice the memory; null for none. Any thread
// may borrow and give back.
Workspace borrow_floats(std::size_t size);

}  // namespace nncore

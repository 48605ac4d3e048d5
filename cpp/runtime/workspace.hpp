// Memory of repeated calls: returned blocks are reused, so that the next call does not wait for fresh pages.
#pragma once

#include "memory.hpp"

namespace nncore {

struct ReturnFloats {
  std::size_t size = 0;
  void operator()(float* memory) const;
};
using Workspace = std::unique_ptr<float[], ReturnFloats>;

// As allocate_floats, from the start of a page on, in a block of up to twice the size; null for size 0. Any
// thread may borrow and return.
Workspace borrow_floats(std::size_t size);

}  // namespace nncore

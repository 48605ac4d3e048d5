// The memory of a network for the current batch.
#pragma once

#include "../runtime/memory.hpp"

namespace nncore {

struct BatchMemory {
  Buffer arena;                  // values and gradients of all samples, in training
  Buffer results;                // targets, losses and metrics
  Buffer scratch;                // of each worker, for one chunk
  std::size_t scratch_size = 0;  // floats of one worker

  void lay_out_scratch(int workers, std::size_t floats) {
    scratch_size = aligned(floats) + kSlack;
    scratch.reserve(checked_floats(static_cast<std::size_t>(workers), scratch_size));
  }
  float* scratch_of(int worker) { return scratch.data() + static_cast<std::size_t>(worker) * scratch_size; }
};

}  // namespace nncore

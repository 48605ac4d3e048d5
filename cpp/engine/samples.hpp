// The samples of a call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../core/source.hpp"

namespace nncore {

// Rows order[start:stop] of x, y and weights, in batches. x has one source for each input of the graph, y one
// for each output. order null: 0, 1, 2, ...
struct Samples {
  const Source* x = nullptr;
  const Source* y = nullptr;
  const float* const* weight = nullptr;  // of each output, or null
  const std::int64_t* order = nullptr;
  std::size_t start = 0, stop = 0;
  std::size_t batch_size = 0;
  const float* rates = nullptr;  // the learning rate of each step in training, or null
  bool only_finite = false;      // training ends with a batch whose loss is not finite, before its update
  float* const* out = nullptr;   // null, or receives the outputs (stop - start, their size) of one batch

  std::size_t row(std::size_t position) const {
    return order ? static_cast<std::size_t>(order[position]) : position;
  }
};

// The arguments of a network of one call: contiguous samples in the user's memory, and the parameters.
struct ArrayCall {
  const std::vector<const float*>& parameters;
  const float* x;
  std::size_t samples;
  std::uint64_t seed;
};

}  // namespace nncore

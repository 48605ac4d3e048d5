// The random numbers of a layer, which depend on the seed of the network or on one of its own.
#pragma once

#include <optional>

#include "../runtime/random.hpp"
#include "layer.hpp"

namespace nncore {

class Draws {
 public:
  explicit Draws(const Spec& spec) {
    if (spec.attributes.count("seed")) seed_ = static_cast<std::uint64_t>(spec.integer("seed"));
  }
  // The key of the generator for a call of the layer in a step.
  std::uint64_t key(const Chunk& c) const { return seed_ ? key_of_step(*seed_, c.step) : mix(c.key); }
  // Number `which` of a sample of the batch, in [low, high).
  static double uniform(std::uint64_t key, std::size_t sample, std::uint64_t which, double low, double high) {
    const std::uint64_t bits = mix(mix(key ^ sample) ^ which) >> 11;
    return low + (high - low) * (static_cast<double>(bits) * 0x1p-53);
  }

 private:
  std::optional<std::uint64_t> seed_;
};

}  // namespace nncore

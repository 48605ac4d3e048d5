// Keys of the kernels' counter-based generator, whose numbers do not depend on how work is divided.
#pragma once

#include <cstdint>

namespace nncore {

// A bijection of 64 bits with full avalanche (the finaliser of SplitMix64, Steele et al. 2014).
constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// The key of a training step, and of one call of a layer in it.
constexpr std::uint64_t key_of_step(std::uint64_t seed, std::uint64_t step) { return mix(mix(seed) ^ step); }
// A layer that draws numbers mixes its key first; most layers draw none.
constexpr std::uint64_t unmixed_key(std::uint64_t key_of_step, std::uint64_t call) {
  return key_of_step ^ call;
}

}  // namespace nncore

// Keys for the counter-based generator of the kernels: the same stream for any cut of the work.
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

// Of a step, and of a layer in it.
constexpr std::uint64_t key_of_step(std::uint64_t seed, std::uint64_t step) { return mix(mix(seed) ^ step); }
// Still to be mixed, by a layer that draws numbers: most do not.
constexpr std::uint64_t unmixed_key(std::uint64_t key_of_step, std::uint64_t call) {
  return key_of_step ^ call;
}

}  // namespace nncore

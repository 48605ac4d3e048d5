// Dropout by a counter-based generator: element i of a stream is a hash of (key, i). Any thread can compute
// any part of a mask, and the backward pass recomputes it.
#pragma once

#include "kernels.hpp"
#include "math.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
inline std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// A permutation of the 32-bit integers for each key: two multiply and xor-shift rounds with the constants of
// "lowbias32" (Wellons' hash prospector). The halves of the key enter before and between the rounds.
inline uvec random_bits(uvec counter, std::uint64_t key) {
  uvec h = counter + static_cast<std::uint32_t>(key);
  h = (h ^ (h >> 16)) * 0x7feb352du;
  h ^= static_cast<std::uint32_t>(key >> 32);
  h = (h ^ (h >> 15)) * 0x846ca68bu;
  return h ^ (h >> 16);
}

inline void dropout(float* y, const float* x, std::uint64_t key, std::uint64_t first, float rate,
                    std::size_t n) {
  if (rate >= 1.0f)
    return for_each_vector(n, [&](std::size_t i, std::size_t lanes) { store(y + i, vec{}, lanes); });
  // An element is kept if its bits, as a signed integer, are not among the rate * 2^32 smallest.
  const std::int32_t least =
      static_cast<std::int32_t>(static_cast<std::uint32_t>(rate * 4294967296.0f) ^ 0x80000000u);
  const vec scale = broadcast(1.0f / (1.0f - rate));
  while (n > 0) {  // each run has one value of the upper half of the counter
    const std::uint32_t low = static_cast<std::uint32_t>(first);
    const std::uint64_t left = (std::uint64_t{1} << 32) - low;
    const std::size_t run = n < left ? n : left;
    const std::uint64_t run_key = mix(key + mix((first >> 32) + 0x9e3779b97f4a7c15u));
    for_each_vector(run, [&](std::size_t i, std::size_t lanes) {
      const uvec counter = (uvec)lane_numbers() + (low + static_cast<std::uint32_t>(i));
      const ivec kept = (ivec)random_bits(counter, run_key) >= least;
      store(y + i, kept ? load(x + i, lanes) * scale : vec{}, lanes);
    });
    x += run, y += run, first += run, n -= run;
  }
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

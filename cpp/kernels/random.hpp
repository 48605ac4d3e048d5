// Dropout and noise by a counter-based generator: element i of a stream is a hash of (key, i). Any thread can
// compute any part of a mask, and the backward pass recomputes it.
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

// Calls body(i, lanes, counters, key) for the vectors of n elements, whose numbers begin at `first`.
template <class Body>
inline void for_each_counter(std::uint64_t key, std::uint64_t first, std::size_t n, Body body) {
  for (std::size_t done = 0; done < n;) {  // each run has one value of the upper half of the number
    const std::uint32_t low = static_cast<std::uint32_t>(first + done);
    const std::uint64_t left = (std::uint64_t{1} << 32) - low;
    const std::size_t run = n - done < left ? n - done : left;
    const std::uint64_t run_key = mix(key + mix(((first + done) >> 32) + 0x9e3779b97f4a7c15u));
    for_each_vector(run, [&](std::size_t i, std::size_t lanes) {
      body(done + i, lanes, (uvec)lane_numbers() + (low + static_cast<std::uint32_t>(i)), run_key);
    });
    done += run;
  }
}

inline void dropout(float* y, const float* x, std::uint64_t key, std::uint64_t first, float rate,
                    std::size_t n) {
  if (rate >= 1.0f)
    return for_each_vector(n, [&](std::size_t i, std::size_t lanes) { store(y + i, vec{}, lanes); });
  // An element is kept if its bits, as a signed integer, are not among the rate * 2^32 smallest.
  const std::int32_t least =
      static_cast<std::int32_t>(static_cast<std::uint32_t>(rate * 4294967296.0f) ^ 0x80000000u);
  const vec scale = broadcast(1.0f / (1.0f - rate));
  for_each_counter(key, first, n, [=](std::size_t i, std::size_t lanes, uvec counter, std::uint64_t run_key) {
    const ivec kept = (ivec)random_bits(counter, run_key) >= least;
    store(y + i, kept ? load(x + i, lanes) * scale : vec{}, lanes);
  });
}

// Of the upper 24 bits: (bits + 1/2) / 2^24, in (0, 1).
inline vec open_uniform(uvec bits) {
  return (__builtin_convertvector((ivec)(bits >> 8), vec) + 0.5f) * 5.9604644775390625e-8f;
}

// sqrt(-2 log(u)) cos(2 pi v) is normal (Box and Muller 1958); cos(2 pi v) = sin(2 pi (|v - 1/2| - 1/4)).
inline void noise(float* y, const float* x, std::uint64_t key, std::uint64_t first, float deviation,
                  bool scales, std::size_t n) {
  for_each_counter(key, first, n, [=](std::size_t i, std::size_t lanes, uvec counter, std::uint64_t run_key) {
    const vec u = open_uniform(random_bits(counter, run_key)),
              v = open_uniform(random_bits(counter, mix(run_key)));
    const vec a = (abs(v - 0.5f) - 0.25f) * 6.28318531f, a2 = a * a;
    const vec sine = a * polynomial(a2, 1.0f, -0.166666667f, 8.33333333e-3f, -1.98412698e-4f, 2.75573192e-6f,
                                    -2.50521084e-8f);
    const vec g = deviation * (sqrt(-2.0f * log(u)) * sine), from = load(x + i, lanes);
    store(y + i, scales ? fma(from, g, from) : from + g, lanes);
  });
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

// The vector type of this instruction set, a GNU vector: the compiler supplies its operators, and functions
// here add what operators lack (fused multiply-add, bit casts, reductions in a fixed order).
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace nncore::NNCORE_ISA {
namespace {

#if defined(__AVX512F__)
constexpr std::size_t kLanes = 16;
#elif defined(__AVX2__)
constexpr std::size_t kLanes = 8;
#else
constexpr std::size_t kLanes = 4;
#endif

// A reduction has this many partial results on every instruction set, so that all compute the same bits.
constexpr std::size_t kSumLanes = 16;

using vec = float __attribute__((vector_size(kLanes * sizeof(float))));
using ivec = std::int32_t __attribute__((vector_size(kLanes * sizeof(float))));
using uvec = std::uint32_t __attribute__((vector_size(kLanes * sizeof(float))));
// A vec that needs no alignment and may alias any type.
using vec_any = float __attribute__((vector_size(kLanes * sizeof(float)), aligned(4), may_alias));

constexpr std::size_t kLine = 16;  // floats in a cache line

// Prefetches the cache line of p for a write, which would wait if another core holds the line. Processors
// without prefetchw execute it as a no-op.
inline void prefetch_for_write([[maybe_unused]] const float* p) {
#if defined(__AVX2__)
  asm volatile("prefetchw %0" ::"m"(*p));
#elif defined(__aarch64__)
  __builtin_prefetch(p, 1);
#endif
}

inline vec load(const float* p) { return *reinterpret_cast<const vec_any*>(p); }
inline void store(float* p, vec x) { *reinterpret_cast<vec_any*>(p) = x; }
// With `count` (1 to kLanes), only the first `count` floats are read or written; the other lanes are zero.
#if defined(__AVX512F__)
inline __mmask16 first_lanes(std::size_t count) {
  return static_cast<__mmask16>(0xffffu >> (kLanes - count));
}
inline vec load(const float* p, std::size_t count) { return _mm512_maskz_loadu_ps(first_lanes(count), p); }
inline void store(float* p, vec x, std::size_t count) { _mm512_mask_storeu_ps(p, first_lanes(count), x); }
#elif defined(__AVX2__)
inline __m256i first_lanes(std::size_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline vec load(const float* p, std::size_t count) {
  return count == kLanes ? load(p) : _mm256_maskload_ps(p, first_lanes(count));
}
inline void store(float* p, vec x, std::size_t count) {
  if (count == kLanes) return store(p, x);
  _mm256_maskstore_ps(p, first_lanes(count), x);
}
#else
inline vec load(const float* p, std::size_t count) {
  if (count == kLanes) return load(p);
  vec x{p[0]};
  if (count > 1) x[1] = p[1];
  if (count > 2) x[2] = p[2];
  return x;
}
inline void store(float* p, vec x, std::size_t count) {
  if (count == kLanes) return store(p, x);
  p[0] = x[0];
  if (count > 1) p[1] = x[1];
  if (count > 2) p[2] = x[2];
}
#endif

// `s - vec{}` compiles to one broadcast; `s + vec{}` does not, as it turns -0 into +0.
inline vec broadcast(float s) { return s - vec{}; }

inline ivec bits(vec x) { return reinterpret_cast<ivec>(x); }
inline vec from_bits(ivec x) { return reinterpret_cast<vec>(x); }

// a * b + c, rounded once (twice on a baseline machine without fused multiply-add).
inline vec fma(vec a, vec b, vec c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__aarch64__)
  return vfmaq_f32(c, a, b);
#else
  return a * b + c;
#endif
}
inline float fma(float a, float b, float c) {
#if defined(__FMA__) || defined(__aarch64__)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

inline vec sqrt(vec x) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_ps(0xffff, x);  // GCC 12 warns about the unmasked intrinsic
#elif defined(__AVX2__)
  return _mm256_sqrt_ps(x);
#elif defined(__aarch64__)
  return vsqrtq_f32(x);
#elif defined(__SSE2__)
  return _mm_sqrt_ps(x);
#else
  for (std::size_t i = 0; i < kLanes; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}

// kLanes bytes widened to integers, and the low byte of each lane as a byte.
inline ivec load_bytes(const std::uint8_t* p) {
#if defined(__AVX512F__)
  return reinterpret_cast<ivec>(
      _mm512_maskz_cvtepu8_epi32(0xffff, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#elif defined(__AVX2__)
  return reinterpret_cast<ivec>(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#else
  ivec x;
  for (std::size_t i = 0; i < kLanes; ++i) x[i] = p[i];
  return x;
#endif
}
inline void store_bytes(std::uint8_t* p, ivec x) {
#if defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm512_maskz_cvtepi32_epi8(0xffff, reinterpret_cast<__m512i>(x)));
#elif defined(__AVX2__)
  const __m256i wide = reinterpret_cast<__m256i>(x);
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
#else
  for (std::size_t i = 0; i < kLanes; ++i) p[i] = static_cast<std::uint8_t>(x[i]);
#endif
}

inline void store_bytes(std::uint8_t* p, ivec x, std::size_t count) {
  if (count == kLanes) return store_bytes(p, x);
  std::uint8_t all[kLanes];
  store_bytes(all, x);
  for (std::size_t i = 0; i < count; ++i) p[i] = all[i];
}

// Bit i of the result is set where lane i of the mask is.
inline std::uint32_t lane_bits(ivec mask) {
#if defined(__AVX512F__)
  return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask));
#elif defined(__AVX2__)
  return static_cast<std::uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
#elif defined(__aarch64__)
  return vaddvq_u32(reinterpret_cast<uint32x4_t>(mask & ivec{1, 2, 4, 8}));
#else
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < kLanes; ++i) bits |= mask[i] ? 1u << i : 0u;
  return bits;
#endif
}

// The mask that a comparison of vectors gives.
#if defined(__AVX512F__)
using lane_mask = __mmask16;
inline lane_mask greater(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
#else
using lane_mask = ivec;
inline lane_mask greater(vec a, vec b) { return a > b; }
#endif
// The argmax of 2 x 2 positions, for `count` lanes: p[i] = known ? (high ? 2 + of_high : of_low) : 4.
inline void store_argmax(std::uint8_t* p, lane_mask high, lane_mask of_high, lane_mask of_low,
                         lane_mask known, std::size_t count) {
#if defined(__AVX512F__)
  const __m128i low = _mm_mask_blend_epi8(of_low, _mm_set1_epi8(0), _mm_set1_epi8(1)),
                two = _mm_mask_blend_epi8(of_high, _mm_set1_epi8(2), _mm_set1_epi8(3)),
                pairs = _mm_mask_mov_epi8(low, high, two),
                bytes = _mm_mask_blend_epi8(known, _mm_set1_epi8(4), pairs);
  if (count == kLanes)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  else
    _mm_mask_storeu_epi8(p, first_lanes(count), bytes);
#else
  store_bytes(p, known ? (high ? 2 - of_high : -of_low) : ivec{} + 4, count);
#endif
}

// max and min return b if a or b is NaN.
inline vec max(vec a, vec b) { return a > b ? a : b; }
inline vec min(vec a, vec b) { return a < b ? a : b; }
inline vec abs(vec x) { return from_bits(bits(x) & 0x7fffffff); }

#if defined(__AVX2__) || defined(__aarch64__)
#define NNCORE_PICKS_LANES 1
// broadcast_four repeats p[0..3]. pick sets lane i to the lane of its group of four that the low two bits of
// at[i] name.
#if defined(__AVX512F__)
inline vec broadcast_four(const float* p) { return _mm512_maskz_broadcast_f32x4(0xffff, _mm_loadu_ps(p)); }
inline vec pick(vec fours, ivec at) {
  return _mm512_maskz_permutevar_ps(0xffff, fours, reinterpret_cast<__m512i>(at));
}
#elif defined(__AVX2__)
inline vec broadcast_four(const float* p) { return _mm256_broadcast_ps(reinterpret_cast<const __m128*>(p)); }
inline vec pick(vec fours, ivec at) { return _mm256_permutevar_ps(fours, reinterpret_cast<__m256i>(at)); }
#else
inline vec broadcast_four(const float* p) { return load(p); }
inline vec pick(vec fours, ivec at) {
  const ivec bytes = (at & 3) * 0x04040404 + 0x03020100;
  return reinterpret_cast<vec>(
      vqtbl1q_u8(reinterpret_cast<uint8x16_t>(fours), reinterpret_cast<uint8x16_t>(bytes)));
}
#endif
#endif

// 0, 1, ..., kLanes - 1.
inline ivec lane_numbers() {
  ivec lanes;
  for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = static_cast<std::int32_t>(i);
  return lanes;
}

// The first `count` lanes of x (1 to kLanes), then those of `rest`.
inline vec with_rest(vec x, std::size_t count, vec rest) {
#if defined(__AVX512F__)
  return _mm512_mask_mov_ps(rest, first_lanes(count), x);
#else
  return count == kLanes ? x : lane_numbers() < static_cast<std::int32_t>(count) ? x : rest;
#endif
}

// The kSumLanes partial results of a reduction.
struct Sum {
  static constexpr std::size_t kParts = kSumLanes / kLanes;
  vec part[kParts];
};

// A butterfly reduction: lane i is combined with lane i ^ Half, then with i ^ Half / 2, down to i ^ 1.
template <std::size_t Half, class Combine>
inline vec combine_lanes(vec x, Combine combine) {
  if constexpr (Half == 0) {
    return x;
  } else {
    vec other;
    for (std::size_t i = 0; i < kLanes; ++i) other[i] = x[i ^ Half];
    return combine_lanes<Half / 2>(combine(x, other), combine);
  }
}

// Combines lane i with lane i + 8, then + 4, + 2, + 1; `combine` is commutative. All lanes hold the result.
template <class Combine>
inline vec reduce(Sum s, Combine combine) {
  for (std::size_t parts = Sum::kParts; parts > 1; parts /= 2)
    for (std::size_t p = 0; p < parts / 2; ++p) s.part[p] = combine(s.part[p], s.part[p + parts / 2]);
  return combine_lanes<kLanes / 2>(s.part[0], combine);
}
inline vec total(const Sum& s) {
  return reduce(s, [](vec a, vec b) { return a + b; });
}

// Calls body(i, lanes_in_use) over [0, n): full vectors, then one tail.
template <class Body>
inline void for_each_vector(std::size_t n, Body body) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, kLanes);
  if (i < n) body(i, n - i);
}

// As for_each_vector, with the index of the vector's part in a Sum: body(i, lanes_in_use, part).
template <class Body>
inline void for_each_part(std::size_t n, Body body) {
  std::size_t i = 0;
  for (; i + kSumLanes <= n; i += kSumLanes)
    for (std::size_t p = 0; p < Sum::kParts; ++p) body(i + p * kLanes, kLanes, p);
  for (std::size_t p = 0; p < Sum::kParts; ++p, i += kLanes) {
    if (i >= n) return;
    body(i, n - i < kLanes ? n - i : kLanes, p);
  }
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

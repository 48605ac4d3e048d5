// Elementary functions of vectors. A NaN gives a NaN.
//
// Error bounds, in units in the last place (ulp), hold with fused multiply-add for all floats unless a range
// is named; they were measured against double precision at every 61st float. The polynomials were fitted for
// this file: minimax in relative error.
#pragma once

#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

constexpr float kInfinity = __builtin_inff();
// ln 2 = kLn2High + kLn2Low; n * kLn2High is exact for |n| < 2^14.
constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
constexpr float kLog2E = 1.44269504f;

// c0 + c1 x + c2 x^2 + ...
inline vec polynomial(vec, float c0) { return broadcast(c0); }
template <class... Rest>
inline vec polynomial(vec x, float c0, Rest... rest) {
  return fma(polynomial(x, rest...), x, broadcast(c0));
}

inline vec clamp(vec x, float low, float high) { return min(broadcast(high), max(broadcast(low), x)); }
inline vec copy_sign(vec magnitude, vec sign) {
  return from_bits((bits(magnitude) & 0x7fffffff) | (bits(sign) & ~0x7fffffff));
}

// e^x = 2^n (1 + q) with an integer n, also as `exponent`, and q = e^r - 1, |r| <= ln(2) / 2, for |x| < 2^13.
struct Exponential {
  vec n, q;
  ivec exponent;
};
inline Exponential split_exponential(vec x) {
  const vec shift = broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const vec shifted = fma(x, broadcast(kLog2E), shift);
  const vec n = shifted - shift;
  const vec r = fma(n, broadcast(-kLn2Low), fma(n, broadcast(-kLn2High), x));
  const vec p =
      polynomial(r, 0.5f, 0.166666657f, 0.0416664928f, 0.00833354611f, 0.00139323273f, 0.000197616348f);
  return {n, fma(r * r, p, r), bits(shifted) - bits(shift)};
}
// 2^n, -126 <= n <= 127.
inline vec power_of_two(ivec n) { return from_bits((n + 127) << 23); }

// e^x. 1 ulp; gradual underflow below -87.3, infinite above 88.72.
inline vec exp(vec x) {
  const Exponential e = split_exponential(clamp(x, -104.0f, 89.0f));
#if defined(__AVX512F__)
  return _mm512_maskz_scalef_ps(0xffff, 1.0f + e.q, e.n);
#else
  const ivec half = e.exponent >> 1;  // 2^n alone may overflow or underflow
  return (1.0f + e.q) * power_of_two(half) * power_of_two(e.exponent - half);
#endif
}

// e^x - 1 for x <= 0. 1 ulp.
inline vec expm1(vec x) {
  const Exponential e = split_exponential(max(broadcast(-20.0f), x));
  const vec scale = power_of_two(e.exponent);
  return fma(scale, e.q, scale - 1.0f);
}

// log(x). 1 ulp, also for subnormal x; -inf at zero, NaN below.
inline vec log(vec x) {
  const ivec tiny = x < 1.17549435e-38f;  // subnormal
  const ivec b = (ivec)((uvec)bits(tiny ? x * 8388608.0f : x) - 0x3f3504f3u);
  const vec k = __builtin_convertvector((b >> 23) - (tiny & 23), vec);
  const vec f = from_bits((b & 0x7fffff) + 0x3f3504f3) - 1.0f;  // 1 + f is in [sqrt(1/2), sqrt(2))
  const vec f2 = f * f;
  const vec p = polynomial(f, 0.333333313f, -0.250008196f, 0.200012416f, -0.166234091f, 0.142015815f,
                           -0.131596133f, 0.127621993f, -0.0763639957f);
  const vec low = fma(broadcast(-0.5f), f2, fma(k, broadcast(kLn2Low), f2 * f * p));
  const vec y = fma(k, broadcast(kLn2High), f + low);
  const vec at_end = x == 0.0f ? broadcast(-kInfinity) : x == kInfinity ? x : broadcast(__builtin_nanf(""));
  return (x > 0.0f) & (x < kInfinity) ? y : at_end;
}

// log(1 + u) for 0 <= u <= 1. 2 ulp.
inline vec log1p(vec u) {
  const vec s = u / (2.0f + u);  // log(1 + u) = 2 artanh(s)
  const vec s2 = s * s;
  return fma(s * s2, polynomial(s2, 0.666666746f, 0.399989486f, 0.286152184f, 0.214437202f, 0.242463261f),
             s + s);
}

// tanh(x). 2.5 ulp.
inline vec tanh(vec x) {
  const vec e = expm1(-2.0f * abs(x));
  return copy_sign(e / (2.0f + e), x);
}

// x - tanh(x). 4 ulp: a polynomial where the difference would cancel.
inline vec less_tanh(vec x) {
  const vec x2 = x * x;
  const vec p = polynomial(x2, 0.333333343f, -0.133333102f, 0.0539634228f, -0.0218295883f, 0.0086979568f,
                           -0.00320695923f, 0.000923611748f, -0.000142824312f);
  return abs(x) < 1.0f ? x * x2 * p : x - tanh(x);
}

// sqrt(x^2 + b) without overflow.
inline vec hypotenuse(vec x, float b) { return abs(x) > 1e18f ? abs(x) : sqrt(fma(x, x, broadcast(b))); }

// 1 / (1 + e^-x), 2.5 ulp, and its derivative, 4 ulp; gradual underflow below -87.3.
struct Sigmoid {
  vec value, slope;
};
inline Sigmoid sigmoid_and_slope(vec x) {
  const vec e = exp(-abs(x));
  const vec value = (x >= 0.0f ? broadcast(1.0f) : e) / (1.0f + e);
  return {value, e / ((1.0f + e) * (1.0f + e))};
}
inline vec sigmoid(vec x) { return sigmoid_and_slope(x).value; }

// q^exponent for q in [0, 1]; products for the whole part of an exponent up to 16.
inline vec power(vec q, float exponent) {
  vec p = broadcast(1.0f);
  for (; exponent >= 1.0f && exponent <= 16.0f; exponent -= 1.0f) p *= q;
  return exponent == 0.0f ? p : p * exp(exponent * log(q));
}

// log(1 + e^x). 3 ulp.
inline vec softplus(vec x) { return max(vec{}, x) + log1p(exp(-abs(x))); }

// The standard normal distribution: Phi(x) = (1 + erf(x / sqrt(2))) / 2, 6 ulp (2e-7), also in the tail, and
// its density, 3 ulp. Without fused multiply-add the error of the tail at -13 is 60 ulp.
struct Normal {
  vec cdf, pdf;
};
inline Normal normal(vec x) {
  const vec a = clamp(abs(x), 0.0f, 14.5f);
  const vec a2 = a * a;
  const vec lost = fma(a, a, -a2);  // the rounding error of a * a
  const vec e = exp(-0.5f * a2);
  const vec kernel = fma(e, -0.5f * lost, e);
  const vec t = 1.0f / fma(a, broadcast(0.35f), broadcast(1.0f));
  // Phi(-a) e^(a^2 / 2), smooth in t.
  const vec ratio = polynomial(t, -1.4541514e-06f, 0.139653578f, 0.139561757f, 0.121384159f, 0.100598782f,
                               -0.01321558f, 0.146431014f, -0.24556604f, 0.139422193f, -0.0282684229f);
  const vec tail = kernel * ratio;
  return {x < 0.0f ? tail : 1.0f - tail, kernel * 0.398942280f};
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

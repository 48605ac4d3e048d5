// Normalization of rows to mean 0 and variance 1.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

struct RowSums {
  double a, b;
};

// Two sums over a row of n; body(i, lanes, a, b) adds a vector to each. The sums of blocks are added in
// double, so the error does not grow with n.
template <class Body>
inline RowSums row_sums(std::size_t n, Body body) {
  constexpr std::size_t kColumns = 4096;
  RowSums sums{};
  for (std::size_t first = 0; first < n; first += kColumns) {
    Sum a{}, b{};
    for_each_part(n - first < kColumns ? n - first : kColumns,
                  [&](std::size_t i, std::size_t lanes, std::size_t p) {
                    body(first + i, lanes, a.part[p], b.part[p]);
                  });
    sums.a += static_cast<double>(total(a)[0]);
    sums.b += static_cast<double>(total(b)[0]);
  }
  return sums;
}

// The normalized values of a row: (x - mean) / sqrt(variance + epsilon).
struct Normalized {
  const float* x;
  vec mean, rstd, shift;

  Normalized(const float* row, const float* moments)
      : x(row), mean(broadcast(moments[0])), rstd(broadcast(moments[1])), shift(broadcast(moments[2])) {}
  vec operator()(std::size_t i, std::size_t lanes) const {
    return fma(load(x + i, lanes) - mean, rstd, shift);
  }
};

// The mean is rounded to float. A second pass sums d = x - mean, which gives the mean's rounding error, and
// d * d. The variance subtracts the square of that error alone, so nothing cancels. Each pass takes a block
// of rows that fits the first-level cache, so that a row does not wait for the sums of the one before.
inline void normalize_rows(float* y, float* moments, const float* x, const float* gamma, const float* beta,
                           double epsilon, std::size_t rows, std::size_t n) {
  constexpr std::size_t kFloats = 4096, kMostRows = 16;
  const std::size_t fitting = kFloats / n, block = fitting < 1           ? 1
                                                   : fitting < kMostRows ? fitting
                                                                         : kMostRows;
  const double inverse_n = 1.0 / static_cast<double>(n);
  for (std::size_t first = 0; first < rows; first += block, x += block * n) {
    const std::size_t count = rows - first < block ? rows - first : block;
    float own[kMostRows * kRowMoments];
    float* const m = moments ? moments + first * kRowMoments : own;
    for (std::size_t r = 0; r < count; ++r) {
      const float* row = x + r * n;
      const RowSums sums =
          row_sums(n, [&](std::size_t i, std::size_t lanes, vec& a, vec&) { a += load(row + i, lanes); });
      m[r * kRowMoments] = static_cast<float>(sums.a * inverse_n);
    }
    for (std::size_t r = 0; r < count; ++r) {
      const float* row = x + r * n;
      float* const of_row = m + r * kRowMoments;
      const vec mean = broadcast(of_row[0]);
      const RowSums sums = row_sums(n, [&](std::size_t i, std::size_t lanes, vec& a, vec& b) {
        const vec d = with_rest(load(row + i, lanes) - mean, lanes, vec{});
        a += d;
        b = fma(d, d, b);
      });
      const double error = sums.a * inverse_n, variance = sums.b * inverse_n - error * error,
                   rstd = 1.0 / __builtin_sqrt((variance < 0.0 ? 0.0 : variance) + epsilon);
      of_row[1] = static_cast<float>(rstd);
      of_row[2] = static_cast<float>(-error * rstd);
    }
    if (!y) continue;
    for (std::size_t r = 0; r < count; ++r, y += n) {
      const Normalized normalized(x + r * n, m + r * kRowMoments);
      for_each_vector(n, [&](std::size_t i, std::size_t lanes) {
        store(y + i, fma(normalized(i, lanes), load(gamma + i, lanes), load(beta + i, lanes)), lanes);
      });
    }
  }
}

// With t = (x - mean) * rstd and g = dy * gamma: dx = (g - mean(g) - t * mean(g * t)) * rstd
inline void normalize_rows_backward(float* dx, float* dgamma, float* dbeta, const float* dy, const float* x,
                                    const float* gamma, const float* moments, std::size_t rows,
                                    std::size_t n) {
  const double inverse_n = 1.0 / static_cast<double>(n);
  for (std::size_t r = 0; r < rows; ++r, x += n, dy += n, moments += kRowMoments) {
    const Normalized normalized(x, moments);
    const RowSums sums = row_sums(n, [&](std::size_t i, std::size_t lanes, vec& a, vec& b) {
      const vec t = normalized(i, lanes), d = load(dy + i, lanes), g = d * load(gamma + i, lanes);
      a += g;
      b = fma(g, t, b);
      store(dgamma + i, fma(d, t, load(dgamma + i, lanes)), lanes);
      store(dbeta + i, load(dbeta + i, lanes) + d, lanes);
    });
    if (!dx) continue;
    const vec mean = broadcast(static_cast<float>(sums.a * inverse_n)),
              slope = broadcast(static_cast<float>(-sums.b * inverse_n));
    for_each_vector(n, [&](std::size_t i, std::size_t lanes) {
      const vec g = load(dy + i, lanes) * load(gamma + i, lanes);
      store(dx + i, fma(normalized(i, lanes), slope, g - mean) * normalized.rstd, lanes);
    });
    dx += n;
  }
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

// Matrix products with few columns: dot products along k, with the transposed weights.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// Rows and columns of a register tile: each loaded vector is used by several sums.
#if defined(__AVX512F__)
constexpr std::size_t kNarrowRows = 4, kNarrowColumns = 5;
#elif defined(__AVX2__) || defined(__aarch64__)
constexpr std::size_t kNarrowRows = 2, kNarrowColumns = 3;
#else
constexpr std::size_t kNarrowRows = 1, kNarrowColumns = 3;
#endif

template <std::size_t Rows, std::size_t Columns>
inline void narrow_tile(float* y, const float* x, const float* w, const float* bias, std::size_t n,
                        std::size_t k) {
  Sum sum[Rows][Columns] = {};
  const auto add = [&](std::size_t at, std::size_t part, auto read) {
    vec x_i[Rows];
    for (std::size_t i = 0; i < Rows; ++i) x_i[i] = read(x + i * k + at);
    for (std::size_t j = 0; j < Columns; ++j) {
      const vec w_j = read(w + j * k + at);
      for (std::size_t i = 0; i < Rows; ++i) sum[i][j].part[part] = fma(x_i[i], w_j, sum[i][j].part[part]);
    }
  };
  std::size_t at = 0;
  for (; at + kSumLanes <= k; at += kSumLanes)
    for (std::size_t p = 0; p < Sum::kParts; ++p)
      add(at + p * kLanes, p, [](const float* from) { return load(from); });
  for (std::size_t p = 0; at < k; at += kLanes, ++p) {
    const std::size_t lanes = k - at < kLanes ? k - at : kLanes;
    add(at, p, [lanes](const float* from) { return load(from, lanes); });
  }
  for (std::size_t i = 0; i < Rows; ++i)
    for (std::size_t j = 0; j < Columns; ++j) y[i * n + j] = total(sum[i][j])[0] + (bias ? bias[j] : 0.0f);
}

template <std::size_t Rows>
inline void narrow_rows(float* y, const float* x, const float* w, const float* bias, std::size_t n,
                        std::size_t k) {
  std::size_t j = 0;
  const auto take = [&](auto tile, std::size_t columns) {
    for (; j + columns <= n; j += columns) tile(y + j, x, w + j * k, bias ? bias + j : nullptr, n, k);
  };
  // A single row leaves registers for twice as many columns.
  if constexpr (Rows < kNarrowRows) take(narrow_tile<Rows, 2 * kNarrowColumns>, 2 * kNarrowColumns);
  take(narrow_tile<Rows, kNarrowColumns>, kNarrowColumns);
  take(narrow_tile<Rows, 1>, 1);
}

inline void narrow_product(float* y, const float* x, const float* w, const float* bias, std::size_t m,
                           std::size_t n, std::size_t k) {
  std::size_t i = 0;
  for (; i + kNarrowRows <= m; i += kNarrowRows)
    narrow_rows<kNarrowRows>(y + i * n, x + i * k, w, bias, n, k);
  for (; i < m; ++i) narrow_rows<1>(y + i * n, x + i * k, w, bias, n, k);
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

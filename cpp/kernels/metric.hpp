// Metrics of rows.
#pragma once

#include <bit>

#include "loss.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// The mean of target == (y > 1/2).
inline void binary_accuracy(float* value, const float* target, const float* y, std::size_t rows,
                            std::size_t columns) {
  over_columns(value, nullptr, target, y, nullptr, rows, columns, [](vec t, vec v) {
    const vec predicted = v > 0.5f ? broadcast(1.0f) : vec{};
    return Point{t == predicted ? broadcast(1.0f) : vec{}, vec{}};
  });
}

// The first position of the maximum; a NaN is larger than all numbers.
inline std::size_t argmax(const float* x, std::size_t n) {
  const vec lowest = broadcast(-__builtin_inff());
  const auto read = [&](std::size_t i) {
    const std::size_t lanes = n - i < kLanes ? n - i : kLanes;
    return with_rest(load(x + i, lanes), lanes, lowest);
  };
  vec largest = lowest;
  ivec numbers = ivec{} - 1;
  const auto take = [&](vec& most, vec v) {
    most = max(most, v);
    numbers &= v == v;
  };
  constexpr std::size_t kChains = 4;  // of maxima, which do not wait for each other
  std::size_t i = 0;
  if (n >= kChains * kLanes) {
    vec most[kChains];
    for (vec& v : most) v = lowest;
    for (; i + kChains * kLanes <= n; i += kChains * kLanes)
      for (std::size_t c = 0; c < kChains; ++c) take(most[c], load(x + i + c * kLanes));
    for (const vec v : most) largest = max(largest, v);
  }
  for (; i < n; i += kLanes) take(largest, read(i));
  largest = combine_lanes<kLanes / 2>(largest, [](vec a, vec b) { return max(a, b); });
  const bool has_nan = lane_bits(~numbers) != 0;
  for (i = 0;; i += kLanes) {
    const vec v = read(i);
    if (const std::uint32_t found = lane_bits(has_nan ? v != v : v == largest))
      return i + static_cast<std::size_t>(std::countr_zero(found));
  }
}

inline void categorical_accuracy(float* value, const float* target, const float* y, std::size_t rows,
                                 std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, target += columns, y += columns)
    value[r] = argmax(target, columns) == argmax(y, columns) ? 1.0f : 0.0f;
}

inline void sparse_categorical_accuracy(float* value, const float* target, const float* y, std::size_t rows,
                                        std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, y += columns)
    value[r] = static_cast<float>(argmax(y, columns)) == target[r] ? 1.0f : 0.0f;
}

inline void mean_squared_error_metric(float* value, const float* target, const float* y, std::size_t rows,
                                      std::size_t columns) {
  mean_squared_error(value, nullptr, target, y, nullptr, nullptr, rows, columns);
}

inline void mean_absolute_error_metric(float* value, const float* target, const float* y, std::size_t rows,
                                       std::size_t columns) {
  mean_absolute_error(value, nullptr, target, y, nullptr, nullptr, rows, columns);
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

// Metrics of rows.
#pragma once

#include "loss.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// The mean of target == (y > 1/2).
inline void binary_accuracy(float* value, const float* target, const float* y, std::size_t rows,
                            std::size_t columns) {
  mean_over_columns(value, nullptr, target, y, nullptr, rows, columns, [](vec t, vec v) {
    const vec predicted = v > 0.5f ? broadcast(1.0f) : vec{};
    return Point{t == predicted ? broadcast(1.0f) : vec{}, vec{}};
  });
}

// The first position of the maximum; a NaN is larger than all numbers.
inline std::size_t argmax(const float* x, std::size_t n) {
  const vec lowest = broadcast(-__builtin_inff());
  Sum best;
  for (vec& part : best.part) part = lowest;
  ivec numbers = ivec{} - 1;
  for_each_part(n, [&](std::size_t i, std::size_t lanes, std::size_t part) {
    const vec v = with_rest(load(x + i, lanes), lanes, lowest);
    best.part[part] = max(best.part[part], v);
    numbers &= v == v;
  });
  const float largest = reduce(best, [](vec a, vec b) { return max(a, b); })[0];
  const bool has_nan = lane_bits(~numbers) != 0;
  std::size_t i = 0;
  while (has_nan ? x[i] == x[i] : x[i] != largest) ++i;
  return i;
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
  mean_squared_error(value, nullptr, target, y, nullptr, 0.0f, rows, columns);
}

inline void mean_absolute_error_metric(float* value, const float* target, const float* y, std::size_t rows,
                                       std::size_t columns) {
  mean_absolute_error(value, nullptr, target, y, nullptr, 0.0f, rows, columns);
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

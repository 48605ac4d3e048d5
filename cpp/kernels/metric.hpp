// The formulas of metrics.def as kernels, the metrics over rows, and the codes for counting at thresholds.
#pragma once

#include <bit>

#include "loss.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

#define NONE
#define SETTING(name, ...) [[maybe_unused]] const float name = *setting++;
#define ELEMENTWISE_METRIC(name, settings, ...)                                                              \
  inline void name(float* value, const float* target, const float* y, [[maybe_unused]] const float* setting, \
                   std::size_t rows, std::size_t columns) {                                                  \
    settings const auto f = [=](vec t, vec x)->vec __VA_ARGS__;                                              \
    over_columns(value, nullptr, target, y, nullptr, rows, columns,                                          \
                 [=](vec t, vec x) { return Point{f(t, x), vec{}}; });                                       \
  }
#include "metrics.def"
#undef NONE
#undef SETTING

// The index of the first maximum; a NaN is larger than all numbers.
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
  constexpr std::size_t kChains = 4;  // independent maxima, which hide latency
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

inline void categorical_accuracy(float* value, const float* target, const float* y, const float*,
                                 std::size_t rows, std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, target += columns, y += columns)
    value[r] = argmax(target, columns) == argmax(y, columns) ? 1.0f : 0.0f;
}

inline void sparse_categorical_accuracy(float* value, const float* target, const float* y, const float*,
                                        std::size_t rows, std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, y += columns)
    value[r] = static_cast<float>(argmax(y, columns)) == target[r] ? 1.0f : 0.0f;
}

// Whether fewer than k of y (n) are larger than the one at c. A NaN is larger than all, and never among them.
inline float among_largest(const float* y, std::size_t n, std::size_t c, float k) {
  Sum larger{};
  for_each_part(n, [&](std::size_t i, std::size_t lanes, std::size_t p) {
    larger.part[p] += with_rest(load(y + i, lanes) <= y[c] ? vec{} : broadcast(1.0f), lanes, vec{});
  });
  return y[c] == y[c] && total(larger)[0] < k ? 1.0f : 0.0f;
}

inline void top_k_categorical_accuracy(float* value, const float* target, const float* y, const float* k,
                                       std::size_t rows, std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, target += columns, y += columns)
    value[r] = among_largest(y, columns, argmax(target, columns), *k);
}

inline void sparse_top_k_categorical_accuracy(float* value, const float* target, const float* y,
                                              const float* k, std::size_t rows, std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, y += columns)
    value[r] = among_largest(y, columns, Class(target[r], columns).index, *k);
}

constexpr MetricKernel kMetricKernels[] = {
#define ELEMENTWISE_METRIC(name, ...) name,
#define ROW_METRIC(name, ...) name,
#define COUNT_METRIC(...) nullptr,
#include "metrics.def"
};

// For x in [0, 2^22].
inline vec ceil(vec x) {
  const vec shift = broadcast(8388608.0f);  // 2^23: adding it rounds to an integer
  const vec near = (x + shift) - shift;
  return near < x ? near + 1.0f : near;
}

inline void encode(float* code, const float* target, const float* y, const Thresholds& t, std::size_t n) {
  const float last = static_cast<float>(t.count - 1), positive = static_cast<float>(t.count + 1);
  const vec least = broadcast(t.values[0] < 0.0f ? 1.0f : 0.0f);
  for_each_vector(n, [&](std::size_t i, std::size_t lanes) {
    vec p = load(y + i, lanes), number{};
    if (t.from_logits) p = sigmoid(p);
    if (t.even)
      number = p == p ? max(least, ceil(clamp(p, 0.0f, 1.0f) * last)) : vec{};
    else
      for (std::size_t j = 0; j < t.count; ++j) number += p > t.values[j] ? broadcast(1.0f) : vec{};
    store(code + i, load(target + i, lanes) != 0.0f ? number + positive : number, lanes);
  });
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

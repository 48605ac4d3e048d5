#include "rows.hpp"

#include <algorithm>

#include "../kernels/dispatch.hpp"
#include "array_chunks.hpp"

namespace nncore {
namespace {

RowCost cost_of(const Rows& r) { return {r.target_columns, 2 * r.columns, r.columns}; }

}  // namespace

void metric_rows(const MetricFunction& metric, const Rows& r, float* value) {
  for_array_chunks(r.rows, cost_of(r), {{r.target, r.target_columns}, {r.output, r.columns}},
                   [&](std::size_t first, std::size_t count, const float* const* at) {
                     metric(active_kernels(), value + first, at[0], at[1], count, r.columns);
                   });
}

void loss_gradient_rows(const LossFunction& loss, const Rows& r, const float* scale, float* gradient) {
  const Workspace value = borrow_floats(r.rows);
  for_array_chunks(r.rows, cost_of(r), {{r.target, r.target_columns}, {r.output, r.columns}, {scale, 1}},
                   [&](std::size_t first, std::size_t count, const float* const* at) {
                     loss(active_kernels(), value.get() + first, gradient + first * r.columns, at[0], at[1],
                          at[2], count, r.columns);
                   });
}

void encode_rows(const Counter& counter, const Rows& r, float* code) {
  const std::size_t codes = counter.codes(r.columns);
  for_array_chunks(r.rows, cost_of(r), {{r.target, r.target_columns}, {r.output, r.columns}},
                   [&](std::size_t first, std::size_t count, const float* const* at) {
                     counter.encode(active_kernels(), code + first * codes, at[0], at[1], count, r.columns);
                   });
}

void update_arrays(Optimizer& optimizer, std::uint64_t step, const float* gradient, std::size_t size,
                   const std::vector<std::pair<float*, const float*>>& values) {
  optimizer.begin(step);
  // Each chunk is copied and its copy updated, while the first-level cache holds it.
  constexpr std::size_t kSmaller = 4;
  for_array_chunks(size, {1, kSmaller * (2 * values.size() + 1), values.size()}, {{gradient, 1}},
                   [&](std::size_t first, std::size_t count, const float* const* g) {
                     float* at[1 + kMostMoments] = {};
                     for (std::size_t i = 0; i < values.size(); ++i) {
                       at[i] = values[i].first + first;
                       std::copy_n(values[i].second + first, count, at[i]);
                     }
                     optimizer.update(active_kernels(), at[0], at + 1, g[0], count);
                   });
}

}  // namespace nncore

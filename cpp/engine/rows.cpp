#include "rows.hpp"

#include <algorithm>

#include "../kernels/dispatch.hpp"
#include "chunks.hpp"

namespace nncore {
namespace {

Cut cut_of(const Rows& r) { return {r.rows, {r.target_columns, 2 * r.columns, r.columns}}; }

// Calls body(first row, rows, target, output) for chunks of all rows.
template <class Body>
void for_rows(const Rows& r, const Cut& cut, Body body) {
  const Readable target(r.target, cut, r.target_columns), output(r.output, cut, r.columns);
  with_team(cut.threads(), [&] {
    for_each_chunk(cut, [&](std::size_t first, std::size_t count, int) {
      body(first, count, target.row(first), output.row(first));
    });
  });
}

}  // namespace

void metric_rows(const MetricFunction& metric, const Rows& rows, float* value) {
  for_rows(rows, cut_of(rows), [&](std::size_t first, std::size_t count, const float* t, const float* x) {
    metric(active_kernels(), value + first, t, x, count, rows.columns);
  });
}

void loss_gradient_rows(const LossFunction& loss, const Rows& rows, const float* scale, float* gradient) {
  const Cut cut = cut_of(rows);
  const Readable scales(scale, cut, 1);
  const Workspace value = borrow_floats(rows.rows);
  for_rows(rows, cut, [&](std::size_t first, std::size_t count, const float* t, const float* x) {
    loss(active_kernels(), value.get() + first, gradient + first * rows.columns, t, x, scales.row(first),
         count, rows.columns);
  });
}

void encode_rows(const Counter& counter, const Rows& rows, float* code) {
  const std::size_t codes = counter.codes(rows.columns);
  for_rows(rows, cut_of(rows), [&](std::size_t first, std::size_t count, const float* t, const float* x) {
    counter.encode(active_kernels(), code + first * codes, t, x, count, rows.columns);
  });
}

void update_arrays(Optimizer& optimizer, std::uint64_t step, const float* gradient, std::size_t size,
                   const std::vector<std::pair<float*, const float*>>& values) {
  optimizer.begin(step);
  // What is updated in place are copies, made chunk by chunk, so small that the first-level cache still holds
  // them.
  constexpr std::size_t kSmaller = 4;
  const Cut cut(size, {1, kSmaller * (2 * values.size() + 1), values.size()});
  const Readable g(gradient, cut, 1);
  with_team(cut.threads(), [&] {
    for_each_chunk(cut, [&](std::size_t first, std::size_t count, int) {
      float* at[1 + kMostMoments] = {};
      for (std::size_t i = 0; i < values.size(); ++i) {
        at[i] = values[i].first + first;
        std::copy_n(values[i].second + first, count, at[i]);
      }
      optimizer.update(active_kernels(), at[0], at + 1, g.row(first), count);
    });
  });
}

}  // namespace nncore

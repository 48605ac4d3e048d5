// Losses, metrics and updates over whole arrays in the user's memory, by a team of threads.
#pragma once

#include <utility>
#include <vector>

#include "../training/objective.hpp"
#include "../training/optimizer.hpp"

namespace nncore {

// Outputs (rows, columns), and targets of that shape, or (rows) class numbers.
struct Rows {
  const float *target, *output;
  std::size_t rows, columns, target_columns;
};

// value (rows)
void metric_rows(const MetricFunction& metric, const Rows& rows, float* value);
// gradient (rows, columns) of the loss of each row times its scale
void loss_gradient_rows(const LossFunction& loss, const Rows& rows, const float* scale, float* gradient);
// code (rows, counter.codes(columns))
void encode_rows(const Counter& counter, const Rows& rows, float* code);
// One step. values: new and old values of the parameter and of each moment, `size` each.
void update_arrays(Optimizer& optimizer, std::uint64_t step, const float* gradient, std::size_t size,
                   const std::vector<std::pair<float*, const float*>>& values);

}  // namespace nncore

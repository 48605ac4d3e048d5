#include "objective.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace nncore {
namespace {

constexpr std::array kMetrics = {"binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy",
                                 "mean_squared_error", "mean_absolute_error"};

// The means of `count` runs of `rows` values.
void means(float* mean, const float* value, std::size_t rows, std::size_t count) {
  if (rows == 1) {
    std::copy_n(value, count, mean);
    return;
  }
  for (std::size_t i = 0; i < count; ++i, value += rows) {
    double sum = 0.0;
    for (std::size_t r = 0; r < rows; ++r) sum += value[r];
    mean[i] = static_cast<float>(sum / static_cast<double>(rows));
  }
}

}  // namespace

LossFunction loss_of(const Spec& spec) {
  const auto row = std::ranges::find(kLosses, spec.kind, &LossRow::name);
  if (row == kLosses.end()) throw std::invalid_argument("there is no loss '" + spec.kind + "'");
  return {static_cast<Loss>(row - kLosses.begin()), spec.settings(row->settings)};
}
Metric metric_named(const std::string& name) {
  const auto found = std::ranges::find(kMetrics, name);
  if (found == kMetrics.end()) throw std::invalid_argument("there is no metric '" + name + "'");
  return static_cast<Metric>(found - kMetrics.begin());
}
bool is_sparse(Metric metric) { return metric == Metric::sparse_categorical_accuracy; }

Objective::Objective(const std::optional<Spec>& loss, const std::vector<std::string>& metrics,
                     const Shape& output, const ActivationFunction& last)
    : output_(output), columns_(output.empty() ? 1 : output.back()) {
  rows_ = columns_ ? size_of(output) / columns_ : 0;
  if (loss) {
    loss_ = loss_of(*loss);
    sparse_ = loss_->row().sparse;
    for (const FromLogits& fused : kFromLogits)
      if (loss_->kind == fused.loss && last.kind == fused.last) {
        loss_ = loss_of({row_of(fused.logits).name, loss->attributes});
        activation_ = last;
        break;
      }
  }
  for (const std::string& name : metrics) {
    const Metric metric = metric_named(name);
    if (!loss_ && metrics_.empty()) sparse_ = is_sparse(metric);
    if (is_sparse(metric) != sparse_)
      throw std::invalid_argument(
          "the metric '" + name + "' and the " + (loss ? "loss '" + loss->kind : "metric '" + metrics[0]) +
          "' do not take the same kind of targets: class numbers for one, one value for each "
          "output for the other");
    metrics_.push_back(metric);
  }
  if (sparse_ && output.empty()) throw std::invalid_argument("expected outputs with an axis of classes");
}

void Objective::check_shape(const Source& y, std::size_t samples) const {
  if (y.rows() != samples)
    throw std::invalid_argument("x and y must have the same number of samples, got " +
                                std::to_string(samples) + " and " + std::to_string(y.rows()));
  // One target for each output; an axis of length 1 at the end may be left out or added.
  Shape expected = output_;
  if (sparse_) expected.pop_back();
  Shape given = y.row_shape();
  if (given.size() > expected.size() && given.back() == 1) given.pop_back();
  if (given.size() + 1 == expected.size() && expected.back() == 1) given.push_back(1);
  if (given != expected)
    throw std::invalid_argument("expected targets of shape " + to_string(expected) + " for each sample" +
                                (sparse_ ? " (class numbers)" : "") + ", got " + to_string(y.row_shape()));
}

void Objective::check_labels(const float* target, std::size_t row) const {
  for (std::size_t i = 0; i < rows_; ++i)
    if (!(target[i] >= 0.0f && target[i] < static_cast<float>(columns_) &&
          target[i] == std::floor(target[i])))
      throw std::invalid_argument("class numbers must be whole numbers from 0 to " +
                                  std::to_string(columns_ - 1) + " (the network has " +
                                  std::to_string(columns_) + " outputs), got " + std::to_string(target[i]) +
                                  " for sample " + std::to_string(row));
}

void Objective::evaluate(const Kernels& k, const Result& r, float* gradient, const float* output,
                         const float* target, const float* weight, float scale, std::size_t samples) const {
  const std::size_t rows = samples * rows_;
  if (loss_) {
    for (std::size_t s = 0; s < samples; ++s)
      std::fill_n(r.scale + s * rows_, rows_,
                  (weight ? weight[s] : 1.0f) * scale / static_cast<float>(rows_));
    (*loss_)(k, r.value, gradient, target, output, r.scale, rows, columns_);
    means(r.loss, r.value, rows_, samples);
    if (weight)
      for (std::size_t s = 0; s < samples; ++s) r.loss[s] *= weight[s];
  } else {
    std::fill_n(r.loss, samples, 0.0f);
  }
  if (metrics_.empty()) return;
  if (!activation_.is_linear()) {
    activation_.forward(k, r.activation, output, rows, columns_);
    output = r.activation;
  }
  for (std::size_t m = 0; m < metrics_.size(); ++m) {
    k.metric[static_cast<int>(metrics_[m])](r.value, target, output, rows, columns_);
    means(r.metric + m * r.stride, r.value, rows_, samples);
  }
}

}  // namespace nncore

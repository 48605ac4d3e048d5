#include "objective.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>

namespace nncore {
namespace {

// The means of `count` runs of `rows` values.
void means(float* mean, const float* value, std::size_t rows, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i, value += rows) {
    double sum = 0.0;
    for (std::size_t r = 0; r < rows; ++r) sum += value[r];
    mean[i] = static_cast<float>(sum / static_cast<double>(rows));
  }
}

}  // namespace

LossFunction loss_of(const Spec& spec) {
  const std::size_t row = row_named(kLosses, spec.kind);
  if (row == kLosses.size()) throw std::invalid_argument("there is no loss '" + spec.kind + "'");
  const std::int64_t reduction = spec.attributes.count("reduction") ? spec.integer("reduction") : 0;
  if (reduction < 0 || reduction > 2) spec.fail("reduction must be in [0, 2]");
  return {static_cast<Loss>(row), spec.settings(kLosses[row].settings), static_cast<Reduction>(reduction)};
}

bool is_counted(const Spec& metric) {
  const std::size_t row = row_named(kMetrics, metric.kind);
  return row < kMetrics.size() && kMetrics[row].counts;
}

MetricFunction metric_of(const Spec& spec) {
  const std::size_t row = row_named(kMetrics, spec.kind);
  const std::int64_t reported = spec.attributes.count("result") ? spec.integer("result") : 0;
  if (reported < 0 || reported > 2) spec.fail("result must be in [0, 2]");
  const auto as = static_cast<Reported>(reported);
  if (row < kMetrics.size() && !kMetrics[row].counts)
    return {static_cast<Metric>(row), spec.settings(kMetrics[row].settings), as};
  if (row_named(kLosses, spec.kind) < kLosses.size()) return {loss_of(spec), {}, as};
  throw std::invalid_argument("there is no metric '" + spec.kind + "'");
}

bool MetricFunction::is_sparse() const {
  const LossFunction* loss = std::get_if<LossFunction>(&kind);
  return loss ? loss->row().sparse : row_of(std::get<Metric>(kind)).sparse;
}

void MetricFunction::operator()(const Kernels& k, float* value, const float* target, const float* y,
                                std::size_t rows, std::size_t columns) const {
  if (const LossFunction* loss = std::get_if<LossFunction>(&kind))
    (*loss)(k, value, nullptr, target, y, nullptr, rows, columns);
  else
    k.metric[static_cast<std::size_t>(std::get<Metric>(kind))](value, target, y, settings.data(), rows,
                                                               columns);
}

std::vector<Value> Sums::results() const {
  std::vector<Value> results(values.size() + counted.size());
  std::size_t index = 0, next = 0;
  const auto put_means = [&](std::size_t stop) {
    for (; index < stop; ++index, ++next) {
      const double mean = weights[next] != 0.0 ? values[next] / weights[next] : 0.0;
      const Reported as = next < reported.size() ? reported[next] : Reported::mean;
      results[index] = as == Reported::root ? std::sqrt(mean) : as == Reported::negative ? -mean : mean;
    }
  };
  for (const Count& c : counted) {
    put_means(c.index);
    results[index++] = c.counter.result();
  }
  put_means(results.size());
  return results;
}

std::vector<double> Sums::totals() const {
  std::vector<double> all = values;
  all.insert(all.end(), weights.begin(), weights.end());
  for (const Count& c : counted) all.insert(all.end(), c.counter.totals().begin(), c.counter.totals().end());
  return all;
}

void Sums::set_totals(const std::vector<double>& totals) {
  if (totals.size() != this->totals().size())
    throw std::invalid_argument("expected " + std::to_string(this->totals().size()) + " sums, got " +
                                std::to_string(totals.size()));
  auto from = totals.begin();
  for (std::vector<double>* to : {&values, &weights}) {
    to->assign(from, from + static_cast<std::ptrdiff_t>(to->size()));
    from += static_cast<std::ptrdiff_t>(to->size());
  }
  for (Count& c : counted) {
    const auto end = from + static_cast<std::ptrdiff_t>(c.counter.totals().size());
    c.counter.set_totals({from, end});
    from = end;
  }
}

bool Objective::takes_over(const std::optional<Spec>& loss, const ActivationFunction& last) {
  return loss && std::ranges::any_of(kFromLogits, [&](const FromLogits& fused) {
           return loss->kind == row_of(fused.loss).name && last.kind == fused.last;
         });
}

Objective::Objective(const std::optional<Spec>& loss, const std::vector<Spec>& metrics,
                     std::size_t weighted_from, const Shape& output, const ActivationFunction& last,
                     bool masked)
    : output_(output), columns_(output.empty() ? 1 : output.back()), masked_(masked) {
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
  for (const Spec& metric : metrics) {
    const std::size_t index = static_cast<std::size_t>(&metric - metrics.data());
    const bool counts = is_counted(metric), sparse = !counts && metric_of(metric).is_sparse();
    if (!loss_ && index == 0) sparse_ = sparse;
    if (sparse != sparse_)
      throw std::invalid_argument("the metric '" + metric.kind + "' and the " +
                                  (loss ? "loss '" + loss->kind : "metric '" + metrics[0].kind) +
                                  "' do not take the same kind of targets: class numbers for one, one value "
                                  "for each output for the other");
    if (counts) {
      counted_.push_back({Counter(metric), index, index >= weighted_from, codes()});
      counted_.back().counter.fit(columns_);
    } else {
      means_.push_back(metric_of(metric));
      if (index < weighted_from) ++weighted_means_from_;
    }
  }
  if (sparse_ && output.empty())
    throw std::invalid_argument("expected outputs with an axis of classes, got shape ()");
}

std::size_t Objective::codes() const {
  return counted_.empty() ? 0 : counted_.back().offset + codes(counted_.back());
}

void Objective::check_shape(const Source& y, std::size_t samples) const {
  if (y.rows() != samples)
    throw std::invalid_argument("x and y must have the same number of samples, got " +
                                std::to_string(samples) + " and " + std::to_string(y.rows()));
  // One target for each output; an axis of length 1 at the end may be left out or added.
  const auto without_ones = [](std::span<const std::size_t> shape, std::size_t length) {
    return shape.size() > length && shape.back() == 1 ? shape.first(shape.size() - 1) : shape;
  };
  const auto expected = std::span(output_).first(output_.size() - sparse_);
  const Shape& given = y.row_shape();
  if (!std::ranges::equal(without_ones(given, expected.size()), without_ones(expected, given.size())))
    throw std::invalid_argument("expected targets of shape " + to_string({expected.begin(), expected.end()}) +
                                " for each sample" + (sparse_ ? " (class numbers)" : "") + ", got " +
                                to_string(given));
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

Objective::Offsets Objective::lay_out(Layout& layout, std::size_t batch) const {
  return {.batch = batch,
          .target = layout.place(batch, target_size()),
          .weight = layout.place(batch, 1),
          .value = layout.place(batch, rows_ > 1 ? rows_ : 0),
          .scale = layout.place(batch, rows_),
          .activation = layout.place(batch, activation_.is_linear() ? 0 : size_of(output_)),
          .loss = layout.place(batch, 1),
          .factor = layout.place(1, 1),
          .mean = layout.place(batch, mean_count()),
          .counted = layout.place(batch, masked_),
          .code = layout.place(batch, codes())};
}

void Objective::set_factor(float* buffer, const Offsets& p, bool weighted, std::size_t samples) const {
  const auto count = static_cast<double>(samples), per_row = static_cast<double>(rows_);
  const float *const weight = buffer + p.weight, *const counted = buffer + p.counted;
  double weights = 0.0, rows = 0.0;
  for (std::size_t i = 0; i < samples; ++i) {
    const double share = masked_ ? double{counted[i]} / per_row : 1.0;
    weights += (weighted ? double{weight[i]} : 1.0) * share;
    rows += share;
  }
  const Reduction reduction = loss_ ? loss_->reduction : Reduction::mean;
  const double total = reduction == Reduction::weighted_mean ? weights : rows;
  buffer[p.factor] = static_cast<float>(reduction == Reduction::sum ? count * per_row
                                        : total != 0.0              ? count / total
                                                                    : 0.0);
}

void Objective::count_rows(float* buffer, const Offsets& p, const float* mask, std::size_t first,
                           std::size_t samples) const {
  for (std::size_t s = 0; s < samples; ++s, mask += rows_)
    buffer[p.counted + first + s] = std::accumulate(mask, mask + rows_, 0.0f);
}

void Objective::evaluate(const Kernels& k, float* buffer, const Offsets& p, bool weighted, const float* mask,
                         std::size_t first, std::size_t samples, const float* output, float* gradient,
                         float scale) const {
  const std::size_t rows = samples * rows_;
  const float *target = buffer + p.target + first * target_size(),
              *weight = weighted ? buffer + p.weight + first : nullptr;
  float *value = buffer + p.value + first * rows_, *scales = buffer + p.scale + first * rows_,
        *loss = buffer + p.loss + first;
  const auto by_row = [&](float* by_sample) { return rows_ > 1 ? value : by_sample; };
  const auto reduce = [&](float* by_sample) {  // to the mean over the rows of each sample
    float* const each = by_row(by_sample);
    for (std::size_t r = 0; mask && r < rows; ++r) each[r] *= mask[r];
    if (rows_ > 1) means(by_sample, value, rows_, samples);
  };
  if (mask) count_rows(buffer, p, mask, first, samples);
  if (loss_) {
    const auto per_row = static_cast<float>(rows_);
    scale *= buffer[p.factor];
    if (!weight) std::fill_n(scales, rows, scale / per_row);
    for (std::size_t s = 0; weight && s < samples; ++s)
      std::fill_n(scales + s * rows_, rows_, weight[s] * scale / per_row);
    for (std::size_t r = 0; mask && r < rows; ++r) scales[r] *= mask[r];
    (*loss_)(k, by_row(loss), gradient, target, output, scales, rows, columns_);
    reduce(loss);
    for (std::size_t s = 0; weight && s < samples; ++s) loss[s] *= weight[s];
  } else {
    std::fill_n(loss, samples, 0.0f);
    if (gradient) std::fill_n(gradient, rows * columns_, 0.0f);
  }
  if (!has_metrics()) return;
  if (!activation_.is_linear()) {
    float* const after = buffer + p.activation + first * rows_ * columns_;
    activation_.forward(k, after, output, rows, columns_);
    output = after;
  }
  for (std::size_t m = 0; m < means_.size(); ++m) {
    float* const mean = buffer + p.mean + m * p.batch + first;
    means_[m](k, by_row(mean), target, output, rows, columns_);
    reduce(mean);
  }
  for (const Counted& c : counted_)
    c.counter.encode(k, buffer + p.code + c.offset * p.batch + first * codes(c), target, output, rows,
                     columns_);
}

}  // namespace nncore

// What the objective reads and writes of a batch, and how it is added up over batches.
#include <algorithm>

#include "network.hpp"

namespace nncore {

void Network::lay_out_results(std::size_t batch) {
  if (batch <= results_batch_) return;
  results_batch_ = 0;
  Layout layout;
  target_ = layout.place(batch, objective_->target_size());
  weight_ = layout.place(batch, 1);
  value_ = layout.place(batch, objective_->rows());
  scale_ = layout.place(batch, objective_->rows());
  activation_ = layout.place(batch, objective_->activation().is_linear() ? 0 : size_of(output_));
  loss_ = layout.place(batch, 1);
  mean_ = layout.place(batch, objective_->mean_count());
  code_ = layout.place(batch, objective_->codes());
  results_.grow(layout.size());
  results_batch_ = batch;
}

// Targets and weights of one batch. A class number that does not exist is found here, before any work.
void Network::read_targets(const Samples& s, std::size_t start, std::size_t count) {
  lay_out_results(count);
  const std::size_t size = objective_->target_size();
  float* r = results_.data();
  s.y->read(r + target_, s.order, start, count);
  for (std::size_t i = 0; i < count; ++i) {
    if (objective_->has_labels()) objective_->check_labels(r + target_ + i * size, s.row(start + i));
    if (s.weight) r[weight_ + i] = s.weight[s.row(start + i)];
  }
}

double Network::batch_loss(std::size_t count) const {
  double sum = 0.0;
  for (std::size_t i = 0; i < count; ++i) sum += results_.data()[loss_ + i];
  return sum / static_cast<double>(count);
}

void Network::check_sums(Sums& sums) const {
  const std::size_t size = 1 + objective_->mean_count();
  const std::vector<Counted>& counted = objective_->counted();
  if (sums.values.empty()) sums = {std::vector<double>(size, 0.0), std::vector<double>(size, 0.0), counted};
  if (sums.values.size() != size ||
      !std::ranges::equal(sums.counted, counted, [](const Counted& a, const Counted& b) {
        return a.counter.totals().size() == b.counter.totals().size() && a.offset == b.offset;
      }))
    throw std::runtime_error("the model was compiled with other metrics while a call was at work");
}

void Network::add_metrics(const Samples& s, std::size_t count, Sums& sums) const {
  const float* r = results_.data();
  sums.values[0] += batch_loss(count) * static_cast<double>(count);
  sums.weights[0] += static_cast<double>(count);
  for (std::size_t m = 0; m + 1 < sums.values.size(); ++m) {
    const bool weighted = m >= objective_->weighted_means_from() && s.weight;
    for (std::size_t i = 0; i < count; ++i) {
      const double weight = weighted ? r[weight_ + i] : 1.0;
      sums.values[m + 1] += weight * r[mean_ + m * results_batch_ + i];
      sums.weights[m + 1] += weight;
    }
  }
  for (Counted& c : sums.counted) {
    const std::size_t rows = objective_->rows(), codes = objective_->codes(c);
    const float *code = r + code_ + c.offset * results_batch_,
                *weight = c.weighted && s.weight ? r + weight_ : nullptr;
    for (std::size_t i = 0; i < count; ++i, code += codes)
      c.counter.add(code, rows, codes / rows, weight ? weight + i : nullptr, 0, 0);
  }
}

}  // namespace nncore

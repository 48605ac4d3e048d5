// Targets, losses and metrics of a batch, and their sums over batches.
#include <algorithm>

#include "network.hpp"

namespace nncore {

void Network::lay_out_results(std::size_t batch) {
  Program& p = program();
  if (batch > p.results_batch) {
    p.results_batch = 0;
    p.results.clear();
    Layout layout;
    p.penalty_results.clear();
    for (const Objective& objective : p.objectives) p.results.push_back(objective.lay_out(layout, batch));
    for (std::size_t i = 0; i < p.penalties.size(); ++i) p.penalty_results.push_back(layout.place(batch, 1));
    p.results_floats = layout.size();
    p.results_batch = batch;
  }
  memory_.results.grow(p.results_floats);
}

// Reads targets and sample weights of one batch. Checks class numbers before any other work.
void Network::read_targets(const Samples& s, std::size_t start, std::size_t count) {
  lay_out_results(count);
  for (std::size_t o = 0; o < program().objectives.size(); ++o) {
    const Objective& objective = program().objectives[o];
    const Objective::Offsets& p = program().results[o];
    const float* const from = s.weight ? s.weight[o] : nullptr;
    float *target = memory_.results.data() + p.target, *weight = memory_.results.data() + p.weight;
    s.y[o].read(target, s.order, start, count);
    for (std::size_t i = 0; objective.has_labels() && i < count; ++i)
      objective.check_labels(target + i * objective.target_size(), s.row(start + i));
    for (std::size_t i = 0; from && i < count; ++i) weight[i] = from[s.row(start + i)];
  }
  set_factors(s, count);
}

void Network::set_factors(const Samples& s, std::size_t count) {
  for (std::size_t o = 0; o < program().objectives.size(); ++o)
    program().objectives[o].set_factor(memory_.results.data(), program().results[o], s.weight && s.weight[o],
                                       count);
}

void Network::count_rows(const Samples& s, std::size_t count) {
  for (std::size_t o = 0; o < judged_.size(); ++o)
    if (const std::size_t mask = plan().outputs[o].mask; mask != kNoMask)
      program().objectives[o].count_rows(memory_.results.data(), program().results[o],
                                         value_at(plan(), mask, 0), 0, count);
  set_factors(s, count);
}

double Network::output_loss(std::size_t output, std::size_t count) const {
  const Objective::Offsets& p = program().results[output];
  const float* loss = memory_.results.data() + p.loss;
  double sum = 0.0;
  for (std::size_t i = 0; i < count; ++i) sum += loss[i];
  return sum / static_cast<double>(count) * double{memory_.results.data()[p.factor]};
}

double Network::batch_loss(std::size_t count) const {
  double sum = 0.0;
  for (std::size_t o = 0; o < judged_.size(); ++o) sum += judged_[o].weight * output_loss(o, count);
  return sum;
}

double Network::penalties(std::size_t count) const {
  double sum = 0.0;
  for (const std::size_t start : program().penalty_results)
    for (std::size_t i = 0; i < count; ++i) sum += memory_.results.data()[start + i];
  return penalty_ + sum / static_cast<double>(count);
}

void Network::penalize_chunk(std::size_t output, const float* y, float* gradient, std::size_t first,
                             std::size_t count, float scale) {
  const Output& o = plan().outputs[output];
  const std::size_t i = output - judged_.size(), size = size_of(o.shape);
  float* const value = memory_.results.data() + program().penalty_results[i] + first;
  if (gradient && !o.adds) std::fill_n(gradient, count * size, 0.0f);
  for (std::size_t s = 0; s < count; ++s)
    value[s] = static_cast<float>(
        program().penalties[i].evaluate(y + s * size, gradient ? gradient + s * size : nullptr, scale, size));
}

Sums Network::empty_sums(const std::vector<Objective>& objectives) {
  Sums sums{{0.0}, {}, {}, {}};
  for (const Objective& objective : objectives) {
    if (objectives.size() > 1 && objective.has_loss()) sums.values.push_back(0.0);
    const std::size_t first = sums.values.size() + sums.counted.size();
    sums.reported.resize(sums.values.size());
    for (std::size_t m = 0; m < objective.mean_count(); ++m) sums.reported.push_back(objective.reported(m));
    sums.values.resize(sums.values.size() + objective.mean_count());
    for (const Counted& c : objective.counted()) sums.counted.push_back({c.counter, first + c.index});
  }
  sums.weights.resize(sums.values.size());
  return sums;
}

void Network::check_sums(Sums& sums) const {
  const Sums& empty = program().empty;
  if (sums.values.empty()) sums = empty;
  if (sums.values.size() != empty.values.size() ||
      !std::ranges::equal(sums.counted, empty.counted, [](const Sums::Count& a, const Sums::Count& b) {
        return a.counter.totals().size() == b.counter.totals().size();
      }))
    throw std::runtime_error("the model was compiled with other metrics while a call was at work");
}

void Network::add_metrics(const Samples& s, std::size_t count, Sums& sums) const {
  const float* r = memory_.results.data();
  std::size_t next = 0, next_counted = 0;
  const auto add_loss = [&](double loss) {
    sums.values[next] += loss * static_cast<double>(count);
    sums.weights[next++] += static_cast<double>(count);
  };
  const double penalty = penalizes_ ? penalties(count) : 0.0;
  add_loss(batch_loss(count) + penalty);
  for (std::size_t o = 0; o < judged_.size(); ++o) {
    const Objective& objective = program().objectives[o];
    const Objective::Offsets& p = program().results[o];
    const float* const weight = s.weight && s.weight[o] ? r + p.weight : nullptr;
    if (judged_.size() > 1 && objective.has_loss()) add_loss(output_loss(o, count));
    for (std::size_t m = 0; m < objective.mean_count(); ++m, ++next) {
      const bool weighted = m >= objective.weighted_means_from() && weight;
      const float* const mean = r + p.mean + m * p.batch;
      double value = sums.values[next], total = sums.weights[next];
      for (std::size_t i = 0; weighted && i < count; ++i) {
        value += double{weight[i]} * mean[i];
        total += double{weight[i]} * objective.share(r, p, i);
      }
      for (std::size_t i = 0; !weighted && i < count; ++i) value += double{mean[i]};
      for (std::size_t i = 0; !weighted && objective.is_masked() && i < count; ++i)
        total += objective.share(r, p, i);
      if (!weighted && !objective.is_masked()) total += static_cast<double>(count);
      sums.values[next] = value;
      sums.weights[next] = total;
    }
    for (const Counted& c : objective.counted()) {
      const std::size_t rows = objective.rows(), codes = objective.codes(c);
      const float* code = r + p.code + c.offset * p.batch;
      Counter& counter = sums.counted[next_counted++].counter;
      for (std::size_t i = 0; i < count; ++i, code += codes)
        counter.add(code, rows, codes / rows, c.weighted && weight ? weight + i : nullptr, 0, 0);
    }
  }
}

}  // namespace nncore

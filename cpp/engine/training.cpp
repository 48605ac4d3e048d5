// Calls that run a network as in training.
#include <algorithm>
#include <cmath>

#include "../runtime/parallel.hpp"
#include "batches.hpp"
#include "network.hpp"

namespace nncore {

int Network::threads_for_training(const Samples& s) const {
  const std::size_t batch = std::min(s.batch_size, s.stop - s.start);
  return batch * plan().sizes.sample_work * 2 + plan().sizes.table_work < kTeamWork ? 1 : get_num_threads();
}

void Network::check_order(const Samples& s, std::size_t start, std::size_t stop) const {
  for (std::size_t position = start; s.order && position < stop; ++position)
    if (s.row(position) >= s.x->rows())
      throw std::invalid_argument("order must hold numbers below " + std::to_string(s.x->rows()) +
                                  ", the samples, got " + std::to_string(s.order[position]));
}

std::size_t Network::train(const Samples& samples, double seconds, Sums& sums) {
  refresh(samples.x, false);
  check_targets(samples);
  require(optimizer_ != nullptr, "an optimizer");
  require(has_loss(), "a loss");
  check_sums(sums);
  const std::size_t most = std::min(samples.batch_size, samples.stop - samples.start),
                    rest = (samples.stop - samples.start) % samples.batch_size;
  if (!is_fused(most) || !is_fused(rest ? rest : most)) weights_.gradients.grow(weights_.trained().size);
  struct AtEnd {
    Network& network;
    ~AtEnd() { network.mark_trained(); }
  } const at_end{*this};
  const float* rate = samples.rates;
  return for_batches(samples, seconds, threads_for_training(samples), sample_cost(),
                     [&](std::size_t position, std::size_t count) {
                       check_order(samples, position, position + count);
                       if (rate) optimizer_->learning_rate = *rate++;
                       sample_pass(samples, position, count, true);
                       const bool goes_on = !samples.only_finite || std::isfinite(batch_loss(count));
                       if (goes_on) {
                         parameter_pass(count, true);
                         if (plan().stages.size() > 1) move_state();
                         ++iterations;
                       }
                       add_metrics(samples, count, sums);
                       return goes_on;
                     });
}

double Network::gradients(const Samples& samples, Sums* sums) {
  refresh(samples.x, false);
  check_targets(samples);
  require(has_loss(), "a loss");
  if (sums) check_sums(*sums);
  const std::size_t count = samples.stop - samples.start;
  check_order(samples, samples.start, samples.stop);
  weights_.gradients.grow(weights_.trained().size);
  with_team(threads_for_training(samples), [&] {
    sample_pass(samples, samples.start, count, true);
    parameter_pass(count, false);
  });
  if (sums) {
    save_statistics();
    add_metrics(samples, count, *sums);
  }
  return batch_loss(count) + (penalizes_ ? penalties(count) : 0.0);
}

void Network::backward(float* const* dx, const float* const* dy, const Samples& samples) {
  refresh(samples.x, false);
  const std::size_t count = samples.stop - samples.start;
  weights_.gradients.grow(weights_.trained().size);
  if (count == 0) return weights_.gradients.zero();
  with_team(threads_for_training(samples), [&] {
    sample_pass(samples, samples.start, count, true, dy);
    parameter_pass(count, false);
  });
  for (std::size_t i = 0; i < plan().inputs.size(); ++i) {
    const Storage& s = plan().storages[i];
    std::copy_n(memory_.arena.data() + s.gradient, count * s.size, dx[i]);
  }
}

void Network::forward(float* const* out, const Samples& samples) {
  refresh(samples.x, false);
  const std::size_t count = samples.stop - samples.start;
  with_team(threads_for_training(samples), [&] { sample_pass(samples, samples.start, count, false); });
  move_state();
  if (plan().stages.size() > 1) mark_trained();
  for (std::size_t o = 0; o < judged_.size(); ++o)
    write_output(o, out[o], value_at(plan(), plan().outputs[o].storage, 0), count);
}

// Uses the statistics of the last sample pass, or `saved`: those of save_statistics, in the order of steps.
void Network::move_state(const float* saved) {
  for (const Step& s : plan().steps) {
    if (!s.statistics) continue;
    s.statistics->move_state(s.values, saved ? saved : memory_.arena.data() + s.saved.statistics);
    if (saved) saved += s.statistics->floats();
  }
}

}  // namespace nncore

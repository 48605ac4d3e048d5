#include <algorithm>
#include <cmath>

#include "../training/runs.hpp"
#include "batches.hpp"
#include "network.hpp"

namespace nncore {
namespace {

constexpr std::size_t kPiece = 16 * 1024;  // floats

}  // namespace

void Network::find_pieces() {
  Rules& r = rules_;
  r.pieces.clear();
  std::size_t variable = 0;
  for (std::size_t i = 0; i < weights_.flat_parameters().size(); ++i) {
    const FlatParameter& p = weights_.flat_parameters()[i];
    if (!weights_.is_trained(p)) continue;
    Variables& v = weights_.of(p.layer);
    const std::size_t start = v.start(p.index), size = size_of(v.list()[p.index].shape);
    for (std::size_t at = 0; at < size; at += kPiece)
      r.pieces.push_back({variable, v.data() + start + at, weights_.trained().at[p.layer] + start + at,
                          std::min(kPiece, size - at), r.decays.empty() || r.decays[i]});
    ++variable;
  }
  r.squares.resize(r.pieces.size());
  r.scales.resize(variable);
}

// The scale of the gradient of each variable, so that its norm, or the norm of all, is within its limit. A
// norm that is NaN makes the gradients it covers NaN.
void Network::find_scales() {
  Rules& r = rules_;
  const double most = r.clipnorm > 0.0 ? r.clipnorm : r.global_clipnorm;
  const auto scale_of = [most](double squares) {
    const double norm = std::sqrt(squares);
    return static_cast<float>(norm <= most ? 1.0 : most / norm);
  };
  std::fill(r.scales.begin(), r.scales.end(), 0.0f);
  double sum = 0.0;
  for (std::size_t i = 0; i < r.pieces.size(); ++i) {
    if (r.clipnorm > 0.0 && (i == 0 || r.pieces[i].variable != r.pieces[i - 1].variable)) sum = 0.0;
    sum += r.squares[i];
    r.scales[r.pieces[i].variable] = scale_of(sum);
  }
  if (r.clipnorm > 0.0) return;
  // An infinite gradient has no direction: as in Keras, all gradients become NaN.
  std::fill(r.scales.begin(), r.scales.end(), std::isinf(sum) ? NAN : scale_of(sum));
}

// The order of Keras: accumulate, clip, decay, update, average. Returns whether weights have changed.
bool Network::apply_rules() {
  Rules& r = rules_;
  const std::uint64_t micro_step = iterations % r.micro_steps, update_number = r.updates(iterations);
  const bool updates = micro_step + 1 == r.micro_steps,
             overwrites = r.overwrite_every > 0 && (update_number + 1) % r.overwrite_every == 0;
  const std::size_t work = weights_.trained().size * kRuleWork;
  const Unstoppable whole;
  const auto mean = [&](const Piece& p) {
    if (r.micro_steps == 1) return;
    const float share = static_cast<float>(1.0 / static_cast<double>(r.micro_steps));
    mix(weights_.gradients.data() + p.at, share, r.accumulator.data() + p.at, share, p.floats);
  };
  if (updates && r.has_norms()) {
    run_pass(r.pieces.size(), work, [&](std::size_t i, int) {
      const Piece& p = r.pieces[i];
      mean(p);
      r.squares[i] = sum_of_squares(weights_.gradients.data() + p.at, p.floats);
    });
    find_scales();
  }
  optimizer_->begin(update_number + 1);
  run_pass(r.pieces.size(), work, [&](std::size_t i, int) {
    const Piece& p = r.pieces[i];
    float* const g = weights_.gradients.data() + p.at;
    if (!updates) {
      if (float* const sum = r.accumulator.data() + p.at; micro_step == 0)
        std::copy_n(g, p.floats, sum);
      else
        kernels_.add(sum, g, p.floats);
    } else {
      if (!r.has_norms())
        mean(p);
      else if (const float scale = r.scales[p.variable]; scale != 1.0f)
        kernels_.rescale(g, g, scale, 0.0f, p.floats);
      if (r.clipvalue > 0.0f) clip(g, r.clipvalue, p.floats);
      update(p.values, p.at, g, p.floats, p.decays);
    }
    if (!r.averages) return;
    float* const average = r.average.data() + p.at;
    if (update_number == 0)
      std::copy_n(p.values, p.floats, average);
    else
      mix(average, static_cast<float>(r.momentum), p.values, static_cast<float>(1.0 - r.momentum), p.floats);
    if (overwrites) std::copy_n(average, p.floats, p.values);
  });
  return updates || (r.averages && overwrites);
}

// Saves the shapes of the inputs too, as another plan may be current when `apply` is called.
void Network::save_statistics() {
  std::size_t floats = 0;
  for (const Step& s : plan().steps) floats += s.statistics ? s.statistics->floats() : 0;
  saved_statistics_.grow(floats);
  saved_inputs_ = plan().inputs;
  float* to = saved_statistics_.data();
  for (const Step& s : plan().steps)
    if (s.statistics) to = std::copy_n(memory_.arena.data() + s.saved.statistics, s.statistics->floats(), to);
}

void Network::apply(const float* gradients) {
  require(optimizer_ != nullptr, "an optimizer");
  if (!saved_statistics_.data()) throw std::runtime_error("no gradients have been computed yet");
  if (plan().inputs != saved_inputs_) use(saved_inputs_);
  weights_.gradients.grow(weights_.trained().size);
  catch_up(false);
  weights_.write(&weights_.gradients, gradients);
  with_team(weights_.trained().size < kTeamWork / kRuleWork ? 1 : get_num_threads(), [&] { update_all(); });
  move_state(saved_statistics_.data());
  ++iterations;
  mark_trained();
}

void Network::take_averages() {
  if (!rules_.averages || iterations == 0) return;
  weights_.set_trained(rules_.average);
}

}  // namespace nncore

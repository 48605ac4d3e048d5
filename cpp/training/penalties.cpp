#include "penalties.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "../runtime/parallel.hpp"

namespace nncore {
namespace {

constexpr std::size_t kBlock = 4096;  // floats that fit the first-level cache with their gradients
constexpr std::size_t kPiece = 64;    // elements of a run with norms of their own, computed together
constexpr double kEpsilon = 1e-7;     // added to norms

struct Row {
  const char* name;
  SettingList settings;
};

// Calls body(task) for all tasks, in one thread if there is little work.
template <class Body>
void for_tasks(std::size_t tasks, std::size_t floats, Body body) {
  constexpr std::size_t kWork = 24;  // multiply-adds that cost as much as one element
  if (floats * kWork >= kTeamWork) return parallel_for(tasks, [&](std::size_t task, int) { body(task); });
  for (std::size_t task = 0; task < tasks; ++task) body(task);
}

float sign(float w) { return static_cast<float>((w > 0.0f) - (w < 0.0f)); }
double square(float w) { return static_cast<double>(w) * w; }

#define NONE
#define SETTING(name, initial, least, most) Setting{#name, initial, least, most, (most) == kAny},
#define CONSTRAINT(name, settings, ...) Row{#name, {{settings}}},
constexpr std::array kConstraints = {
#include "penalties.def"
};
#define NONE
#define SETTING(name, initial, least, most) Setting{#name, initial, least, most, (most) == kAny},
#define NORM_CONSTRAINT(name, settings, ...) Row{#name, {{settings}}},
constexpr std::array kNormConstraints = {
#include "penalties.def"
};

// The penalty of at most a block. Adds scale * slope to the gradient.
#define NONE
#define SETTING(name, ...) const float name = *setting++;
#define REGULARIZER(name, settings, value, slope)                                                          \
  double name##_block(const float* x, float* gradient, float scale, const float* setting, std::size_t n) { \
    settings for (std::size_t i = 0; gradient && i < n; ++i) {                                             \
      const float w = x[i];                                                                                \
      gradient[i] += scale * (slope);                                                                      \
    }                                                                                                      \
    return sum_of(n, [&](std::size_t i) {                                                                  \
      const double w = x[i];                                                                               \
      return value;                                                                                        \
    });                                                                                                    \
  }
#include "penalties.def"

struct RegularizerRow {
  const char* name;
  SettingList settings;
  decltype(&l1_block) block;
  MatrixFunction* of_matrix;
};
#define NONE
#define SETTING(name, initial, least, most) Setting{#name, initial, least, most, (most) == kAny},
#define REGULARIZER(name, settings, ...) RegularizerRow{#name, {{settings}}, name##_block, nullptr},
#define MATRIX_REGULARIZER(name, settings) RegularizerRow{#name, {{settings}}, nullptr, name},
constexpr std::array kRegularizers = {
#include "penalties.def"
};

#define NONE
#define SETTING(name, ...) const float name = *setting++;
#define CONSTRAINT(name, settings, formula)                                           \
  void name##_block(float* x, [[maybe_unused]] const float* setting, std::size_t n) { \
    settings for (std::size_t i = 0; i < n; ++i) {                                    \
      const float w = x[i];                                                           \
      x[i] = formula;                                                                 \
    }                                                                                 \
  }
#include "penalties.def"
constexpr decltype(&non_neg_block) kConstrainBlocks[] = {
#define SETTING(...)
#define NONE
#define CONSTRAINT(name, ...) name##_block,
#include "penalties.def"
};

#define NONE
#define SETTING(name, ...) const double name = *setting++;
#define NORM_CONSTRAINT(name, settings, desired)                                               \
  double name##_desired([[maybe_unused]] double norm, [[maybe_unused]] const float* setting) { \
    settings return desired;                                                                   \
  }
#include "penalties.def"
constexpr decltype(&max_norm_desired) kDesired[] = {
#define SETTING(...)
#define NONE
#define NORM_CONSTRAINT(name, ...) name##_desired,
#include "penalties.def"
};

// Neighbouring axes of a stored variable that a norm sums, or that it does not sum.
struct Axes {
  std::size_t size;
  bool summed;
};

[[gnu::cold]] std::vector<Axes> axes_of(const Spec& spec, const Parameter& p) {
  std::vector<bool> summed(p.shape.size());
  for (const std::int64_t axis : spec.integers("axis")) {
    if (axis < 0 || static_cast<std::size_t>(axis) >= p.shape.size())
      spec.fail("expected axes of a weight of shape " + to_string(p.shape) + ", got " + std::to_string(axis));
    summed[static_cast<std::size_t>(axis)] = true;
  }
  std::vector<Axes> axes;
  const auto add = [&](std::size_t axis) {
    if (p.shape[axis] == 1) return;
    if (!axes.empty() && axes.back().summed == summed[axis])
      axes.back().size *= p.shape[axis];
    else
      axes.push_back({p.shape[axis], summed[axis]});
  };
  const std::size_t last = p.shape.size() - 1;
  if (p.transposed) add(last);
  for (std::size_t axis = 0; axis < last; ++axis) add(axis);
  if (!p.transposed) add(last);
  return axes;
}

}  // namespace

Regularizer::Regularizer(const Spec& spec) : row_(row_named(kRegularizers, spec.kind)) {
  if (row_ == kRegularizers.size()) spec.fail("there is no regularizer of this kind");
  settings_ = spec.settings(kRegularizers[row_].settings);
}

bool Regularizer::is_of_matrix() const { return kRegularizers[row_].of_matrix != nullptr; }

double Regularizer::evaluate_matrix(const Kernels& k, const Parameter& p, const float* w,
                                    float* gradient) const {
  return kRegularizers[row_].of_matrix(k, p, w, gradient, settings_);
}

double Regularizer::evaluate(const float* w, float* gradient, float scale, std::size_t n) const {
  double sum = 0.0;
  for (std::size_t first = 0; first < n; first += kBlock)
    sum += kRegularizers[row_].block(w + first, gradient ? gradient + first : nullptr, scale,
                                     settings_.data(), std::min(kBlock, n - first));
  return sum;
}

Constraint::Constraint(const Spec& spec, const Parameter& parameter)
    : row_(row_named(kConstraints, spec.kind)), norm_row_(row_named(kNormConstraints, spec.kind)) {
  if (row_ < kConstraints.size()) {
    settings_ = spec.settings(kConstraints[row_].settings);
    run_ = size_of(parameter.shape);
    pieces_ = (run_ + kBlock - 1) / kBlock;
    return;
  }
  if (norm_row_ == kNormConstraints.size()) spec.fail("there is no constraint of this kind");
  settings_ = spec.settings(kNormConstraints[norm_row_].settings);
  std::vector<Axes> axes = axes_of(spec, parameter);
  if (!axes.empty()) {
    run_ = axes.back().size;
    sums_run_ = axes.back().summed;
    axes.pop_back();
  }
  std::size_t stride = size_of(parameter.shape);
  for (const Axes& a : axes) {
    stride /= a.size;
    std::vector<std::size_t>& starts = a.summed ? summed_ : norms_;
    std::vector<std::size_t> all;
    for (const std::size_t start : starts)
      for (std::size_t i = 0; i < a.size; ++i) all.push_back(start + i * stride);
    starts = std::move(all);
  }
  pieces_ = sums_run_ ? 1 : (run_ + kPiece - 1) / kPiece;
  const std::size_t floats = summed_.size() * (sums_run_ ? run_ : std::min(run_, kPiece));
  items_per_task_ = std::max<std::size_t>(1, kBlock / floats);
}

std::size_t Constraint::tasks() const {
  return (norms_.size() * pieces_ + items_per_task_ - 1) / items_per_task_;
}

void Constraint::apply(float* w, std::size_t task) const {
  if (row_ < kConstraints.size())
    return kConstrainBlocks[row_](w + task * kBlock, settings_.data(),
                                  std::min(kBlock, run_ - task * kBlock));
  const auto factor = [&](double squares) {
    const double norm = std::sqrt(squares);
    return static_cast<float>(kDesired[norm_row_](norm, settings_.data()) / (kEpsilon + norm));
  };
  const std::size_t last = std::min((task + 1) * items_per_task_, norms_.size() * pieces_);
  for (std::size_t item = task * items_per_task_; item < last; ++item) {
    float* const first = w + norms_[item / pieces_] + item % pieces_ * kPiece;
    if (sums_run_) {
      double squares = 0.0;
      for (const std::size_t start : summed_)
        squares += sum_of(run_, [x = first + start](std::size_t i) { return square(x[i]); });
      const float f = factor(squares);
      for (const std::size_t start : summed_)
        for (std::size_t i = 0; i < run_; ++i) first[start + i] *= f;
      continue;
    }
    const std::size_t n = std::min(kPiece, run_ - item % pieces_ * kPiece);
    double squares[kPiece] = {};
    for (const std::size_t start : summed_)
      for (std::size_t i = 0; i < n; ++i) squares[i] += square(first[start + i]);
    float f[kPiece];
    for (std::size_t i = 0; i < n; ++i) f[i] = factor(squares[i]);
    for (const std::size_t start : summed_)
      for (std::size_t i = 0; i < n; ++i) first[start + i] *= f[i];
  }
}

Penalties::Penalties(const std::vector<WeightRule>& regularizers, const std::vector<WeightRule>& constraints,
                     const std::vector<std::shared_ptr<Variables>>& variables, const TrainedLayout& trained,
                     const std::vector<bool>& used_layers) {
  std::size_t blocks = 0;
  for (const WeightRule& rule : regularizers) {
    Variables& v = *variables.at(rule.layer);
    const Parameter& p = v.list().at(rule.parameter);
    Regularizer regularizer(rule.spec);
    if (p.is_state) rule.spec.fail("expected a trainable weight, got the state " + p.name);
    if (regularizer.is_of_matrix() && p.shape.size() != 2)
      rule.spec.fail("expected a matrix, got a weight of shape " + to_string(p.shape));
    if (!trained.trains[rule.layer]) continue;
    const std::size_t floats = size_of(p.shape), start = v.start(rule.parameter);
    const std::size_t parts = regularizer.is_of_matrix() ? 1 : (floats + kBlock - 1) / kBlock;
    regularized_.push_back({&v, rule.parameter, start, trained.at[rule.layer] + start, floats,
                            used_layers[rule.layer], std::move(regularizer), blocks});
    blocks += parts;
    floats_ += floats;
  }
  blocks_.resize(blocks);
  for (const WeightRule& rule : constraints) {
    Variables& v = *variables.at(rule.layer);
    const Parameter& p = v.list().at(rule.parameter);
    Constraint constraint(rule.spec, p);
    if (p.is_state) rule.spec.fail("expected a trainable weight, got the state " + p.name);
    const bool has_gradient =
        used_layers[rule.layer] || std::ranges::any_of(regularized_, [&](const Regularized& r) {
          return r.variables == &v && r.start == v.start(rule.parameter);
        });
    if (trained.trains[rule.layer] && has_gradient)
      constrained_.push_back({&v, v.start(rule.parameter), size_of(p.shape), std::move(constraint)});
  }
}

double Penalties::evaluate(const Kernels& k, float* gradients) {
  // Each matrix penalty uses the whole team.
  for (const Regularized& r : regularized_) {
    if (!r.regularizer.is_of_matrix()) continue;
    float* const gradient = r.gradient(gradients, 0, r.floats);
    blocks_[r.first_block] = r.regularizer.evaluate_matrix(k, r.variables->list()[r.parameter],
                                                           r.variables->data() + r.start, gradient);
  }
  for_tasks(blocks_.size(), floats_, [&](std::size_t block) {
    const Regularized& r =
        *(std::ranges::upper_bound(regularized_, block, {}, &Regularized::first_block) - 1);
    if (r.regularizer.is_of_matrix()) return;
    const std::size_t from = (block - r.first_block) * kBlock, n = std::min(kBlock, r.floats - from);
    blocks_[block] =
        r.regularizer.evaluate(r.variables->data() + r.start + from, r.gradient(gradients, from, n), 1.0f, n);
  });
  throw_if_stopped();
  double sum = 0.0;
  for (const double value : blocks_) sum += value;
  return sum;
}

float* Penalties::Regularized::gradient(float* gradients, std::size_t from, std::size_t n) const {
  if (!gradients) return nullptr;
  if (!is_used) std::fill_n(gradients + at + from, n, 0.0f);
  return gradients + at + from;
}

void Penalties::constrain() const {
  const Unstoppable whole;
  for (const Constrained& c : constrained_) {
    float* const w = c.variables->data() + c.start;
    for_tasks(c.constraint.tasks(), c.floats, [&](std::size_t task) { c.constraint.apply(w, task); });
  }
}

}  // namespace nncore

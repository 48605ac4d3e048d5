// Regularizers, which add penalties to the loss, and constraints, which change weights after each update.
// Results do not depend on threads or instruction set.
#pragma once

#include <memory>
#include <vector>

#include "../graph/plan.hpp"

namespace nncore {

// The sum of term(i), in 16 partial sums.
template <class Term>
double sum_of(std::size_t n, Term term) {
  constexpr std::size_t kParts = 16;
  double part[kParts] = {};
  std::size_t i = 0;
  for (; i + kParts <= n; i += kParts)
    for (std::size_t j = 0; j < kParts; ++j) part[j] += term(i + j);
  for (std::size_t j = 0; i + j < n; ++j) part[j] += term(i + j);
  double sum = 0.0;
  for (const double p : part) sum += p;
  return sum;
}

// The penalty of a variable, stored as p says. Adds its slope to `gradient` unless null. Uses the team.
using MatrixFunction = double(const Kernels& k, const Parameter& p, const float* w, float* gradient,
                              const Settings& settings);
#define MATRIX_REGULARIZER(name, ...) MatrixFunction name;
#include "penalties.def"

// A regularizer with its settings.
class Regularizer {
 public:
  // Throws std::invalid_argument that starts with "[kind]".
  [[gnu::cold]] explicit Regularizer(const Spec& spec);
  // Whether it applies to a matrix; else it applies to each element.
  bool is_of_matrix() const;
  // The penalty of w. Adds scale * slope to gradient unless that is null.
  double evaluate(const float* w, float* gradient, float scale, std::size_t n) const;
  double evaluate_matrix(const Kernels& k, const Parameter& p, const float* w, float* gradient) const;

 private:
  std::size_t row_;
  Settings settings_;
};

// A constraint of one variable, as stored, in independent tasks.
class Constraint {
 public:
  // Attributes: the settings of the row; for norms also `axis`, of the shape that users see. Throws
  // std::invalid_argument that starts with "[kind]".
  [[gnu::cold]] Constraint(const Spec& spec, const Parameter& parameter);
  std::size_t tasks() const;
  void apply(float* w, std::size_t task) const;

 private:
  std::size_t row_, norm_row_;
  Settings settings_;
  // The variable as runs of `run_` floats. A norm covers the runs at norms_[i] + summed_[j] for all j: it
  // sums them whole if `sums_run_`, else element by element. An elementwise constraint has one run.
  std::vector<std::size_t> norms_{0}, summed_{0};
  std::size_t run_ = 1;
  bool sums_run_ = false;
  std::size_t pieces_ = 1;          // of a run whose elements have norms of their own
  std::size_t items_per_task_ = 1;  // an item is one norm, or the norms of a piece
};

// A regularizer or constraint of one variable.
struct WeightRule {
  std::size_t layer, parameter;
  Spec spec;
};

class Penalties {
 public:
  Penalties() = default;
  // Leaves out layers that do not train, and constraints without a gradient. Throws std::invalid_argument.
  [[gnu::cold]] Penalties(const std::vector<WeightRule>& regularizers,
                          const std::vector<WeightRule>& constraints,
                          const std::vector<std::shared_ptr<Variables>>& variables,
                          const TrainedLayout& trained, const std::vector<bool>& used_layers);

  bool empty() const { return regularized_.empty() && constrained_.empty(); }
  // The sum of all penalties. gradients: null, or a buffer laid out as TrainedLayout. Penalties are added to
  // it, or written for layers that have no other gradient. Throws Stopped.
  double evaluate(const Kernels& k, float* gradients);
  void constrain() const;  // cannot be stopped

 private:
  struct Regularized {
    Variables* variables;
    std::size_t parameter, start, at, floats;  // start: in the variables' block; at: in gradients
    bool is_used;
    Regularizer regularizer;
    std::size_t first_block;

    // The gradient of n floats, set to zero if nothing else has written it. Null if gradients is null.
    float* gradient(float* gradients, std::size_t from, std::size_t n) const;
  };
  struct Constrained {
    Variables* variables;
    std::size_t start, floats;
    Constraint constraint;
  };

  std::vector<Regularized> regularized_;
  std::vector<Constrained> constrained_;
  std::vector<double> blocks_;  // penalties of parts of variables, in order
  std::size_t floats_ = 0;      // of regularized variables
};

}  // namespace nncore

// What is asked of weights besides the losses: regularizers add penalties to the loss, and constraints are
// enforced after each update. Sums do not depend on threads or instruction set.
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

// The value of a variable, which is held as p says. Adds its gradient to `gradient`, which may be null.
// Shares its work with the team.
using MatrixFunction = double(const Kernels& k, const Parameter& p, const float* w, float* gradient,
                              const Settings& settings);
#define MATRIX_REGULARIZER(name, ...) MatrixFunction name;
#include "penalties.def"

// A regularizer with its settings.
class Regularizer {
 public:
  // Throws std::invalid_argument that starts with "[kind]".
  [[gnu::cold]] explicit Regularizer(const Spec& spec);
  // Whether it is one of matrices, else of elements.
  bool is_of_matrix() const;
  // The value over w. Adds scale * slope to gradient, which may be null.
  double evaluate(const float* w, float* gradient, float scale, std::size_t n) const;
  double evaluate_matrix(const Kernels& k, const Parameter& p, const float* w, float* gradient) const;

 private:
  std::size_t row_;
  Settings settings_;
};

// A constraint of one variable as it is held, cut into tasks that are independent of each other.
class Constraint {
 public:
  // Attributes: the settings of the row, and of norms `axis`, of the shape as users see it. Throws
  // std::invalid_argument that starts with "[kind]".
  [[gnu::cold]] Constraint(const Spec& spec, const Parameter& parameter);
  std::size_t tasks() const;
  void apply(float* w, std::size_t task) const;

 private:
  std::size_t row_, norm_row_;
  Settings settings_;
  // The variable seen as runs of `run_` floats, over which a norm goes if `sums_run_`. A norm goes over the
  // runs that begin at norms_[i] + summed_[j] for all j. Of an element-by-element constraint there is one.
  std::vector<std::size_t> norms_{0}, summed_{0};
  std::size_t run_ = 1;
  bool sums_run_ = false;
  std::size_t pieces_ = 1;          // of a run whose elements have norms of their own
  std::size_t items_per_task_ = 1;  // an item: the norms of a piece, or one norm
};

// What a variable has.
struct WeightRule {
  std::size_t layer, parameter;
  Spec spec;
};

class Penalties {
 public:
  Penalties() = default;
  // Of trained layers; others are left out, as are constraints of variables that nothing gives a gradient.
  // Throws std::invalid_argument.
  [[gnu::cold]] Penalties(const std::vector<WeightRule>& regularizers,
                          const std::vector<WeightRule>& constraints,
                          const std::vector<std::shared_ptr<Variables>>& variables,
                          const TrainedLayout& trained, const std::vector<bool>& used_layers);

  bool empty() const { return regularized_.empty() && constrained_.empty(); }
  // The sum of all penalties. gradients, laid out as TrainedLayout says and null if nobody wants them:
  // theirs are added; those of layers that nothing else gives a gradient are written. Throws Stopped.
  double evaluate(const Kernels& k, float* gradients);
  void constrain() const;  // is not stopped

 private:
  struct Regularized {
    Variables* variables;
    std::size_t parameter, start, at, floats;  // in the variables' block, and in gradients
    bool is_used;
    Regularizer regularizer;
    std::size_t first_block;

    // Where that of n floats is, zero if nothing else has written it; null for null.
    float* gradient(float* gradients, std::size_t from, std::size_t n) const;
  };
  struct Constrained {
    Variables* variables;
    std::size_t start, floats;
    Constraint constraint;
  };

  std::vector<Regularized> regularized_;
  std::vector<Constrained> constrained_;
  std::vector<double> blocks_;  // values of parts of variables, in order
  std::size_t floats_ = 0;      // of what is regularized
};

}  // namespace nncore

// A plan for inputs of one shape, with what judges its outputs.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "../graph/plan.hpp"
#include "../training/objective.hpp"
#include "../training/penalties.hpp"

namespace nncore {

// What an output is judged by.
struct Judged {
  std::optional<Spec> loss;
  double weight = 1.0;  // of its loss in that of the network
  std::vector<Spec> metrics, weighted_metrics;
};

// A plan, and what judges its outputs, with the places of what that reads and writes.
struct Program {
  Plan plan;
  std::unique_ptr<Plan> folded;       // for inference, where that differs
  std::vector<Objective> objectives;  // of each output
  std::vector<Objective::Places> results;
  std::vector<Regularizer> penalties;        // of what the graph has penalized
  std::vector<std::size_t> penalty_results;  // (batch) each
  std::size_t results_batch = 0, results_floats = 0;
  Sums empty;

  Plan& inference() { return folded ? *folded : plan; }
};

}  // namespace nncore

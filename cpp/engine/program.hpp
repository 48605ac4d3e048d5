// A plan for inputs of one shape, with what judges its outputs.
#pragma once

#include <algorithm>
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
  std::vector<Objective::Offsets> results;
  std::vector<Regularizer> penalties;        // of what the graph has penalized
  std::vector<std::size_t> penalty_results;  // (batch) each
  std::size_t results_batch = 0, results_floats = 0;
  Sums empty;

  Plan& inference() { return folded ? *folded : plan; }
};

// Those for the last few shapes of the data.
class Programs {
 public:
  Program* current() const { return current_; }  // null before the first
  // Makes the one for inputs of these shapes the current one, if there is one.
  bool find(const std::vector<Shape>& inputs) {
    const auto known = std::ranges::find_if(all_, [&](const auto& p) { return p->plan.inputs == inputs; });
    if (known == all_.end()) return false;
    std::rotate(all_.begin(), known, known + 1);
    current_ = all_[0].get();
    return true;
  }
  void add(std::unique_ptr<Program> program) {
    constexpr std::size_t kMost = 8;
    if (all_.size() == kMost) all_.pop_back();
    all_.insert(all_.begin(), std::move(program));
    current_ = all_[0].get();
  }

 private:
  std::vector<std::unique_ptr<Program>> all_;  // the current one, then those before it
  Program* current_ = nullptr;
};

}  // namespace nncore

// Plans for inputs of one shape, with the objectives of their outputs.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "../graph/plan.hpp"
#include "../training/objective.hpp"
#include "../training/penalties.hpp"

namespace nncore {

// The loss and the metrics of an output.
struct Judged {
  std::optional<Spec> loss;
  double weight = 1.0;  // of this loss in the loss of the network
  std::vector<Spec> metrics, weighted_metrics;
};

// A plan, the objectives of its outputs, and the offsets of their results.
struct Program {
  Plan plan;
  std::unique_ptr<Plan> folded;       // for inference, if that has folded weights
  std::vector<Objective> objectives;  // of each output
  std::vector<Objective::Offsets> results;
  std::vector<Regularizer> penalties;        // of penalized values
  std::vector<std::size_t> penalty_results;  // offsets of arrays (batch)
  std::size_t results_batch = 0, results_floats = 0;
  Sums empty;

  Plan& inference() { return folded ? *folded : plan; }
};

// The programs for the last few shapes of the inputs.
class Programs {
 public:
  Program* current() const { return current_; }  // null before the first
  // Makes the program for inputs of these shapes current. False if there is none.
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
  std::vector<std::unique_ptr<Program>> all_;  // the current one, then the others from the most recent on
  Program* current_ = nullptr;
};

}  // namespace nncore

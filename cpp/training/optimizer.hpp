// An optimizer: a row of the table with its settings, and the update of a run of parameters.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "../core/spec.hpp"
#include "../kernels/kernels.hpp"

namespace nncore {

// A setting and its powers: one multiplication if t mostly grows by one. Results depend on t alone.
class Number {
 public:
  Number(double value = 0.0) : value_(value) {}
  operator double() const { return value_; }
  double power(std::uint64_t t) {
    const std::uint64_t step = t / kStep;
    if (step != step_) large_ = std::pow(value_, static_cast<double>(step * kStep));
    step_ = step;
    double& small = small_[t % kStep];
    if (small == 0.0) small = std::pow(value_, static_cast<double>(t % kStep));
    return large_ * small;
  }

 private:
  static constexpr std::size_t kStep = 64;
  double value_, large_ = 1.0;
  std::array<double, kStep> small_{};  // each computed at first use
  std::uint64_t step_ = 0;
};

class Optimizer {
 public:
  // The kind is the name of a row. Throws std::invalid_argument that starts with "[kind]".
  explicit Optimizer(const Spec& spec);

  const std::vector<std::string>& moments() const { return moments_; }
  // The value of a moment before the first step.
  float initial(std::size_t moment) const;
  // Must be called before the updates of step number `step`, counted from 1.
  void begin(std::uint64_t step);
  // moment: one pointer for each of moments(), to the elements that belong to w.
  void update(const Kernels& k, float* w, float* const* moment, const float* gradient, std::size_t n,
              bool decays = true) const {
    k.update[row_](w, moment, gradient, decays ? decay_ : 0.0f, scalars_.data(), n);
  }

  bool has_decay() const { return weight_decay_ != 0.0; }

  float learning_rate = 0.0f;

 private:
  std::size_t row_ = 0;
  std::vector<std::string> moments_;
  std::array<Number, kMostSettings> settings_;  // in the order of the row; not the learning rate
  double weight_decay_ = 0.0;
  float decay_ = 0.0f;
  std::array<float, kMostScalars> scalars_{};
};

}  // namespace nncore

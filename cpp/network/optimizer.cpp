#include "optimizer.hpp"

#include <cmath>

namespace nncore {
namespace {

// A number in [0, 1).
double fraction(const Spec& spec, const char* name) {
  const double value = spec.number(name);
  if (!(value >= 0.0 && value < 1.0))
    spec.fail(std::string(name) + " must be in [0, 1), got " + std::to_string(value));
  return value;
}

float learning_rate_of(const Spec& spec) {
  const float rate = spec.single("learning_rate");
  if (!(rate >= 0.0f && std::isfinite(rate)))
    spec.fail("learning_rate must be a finite number >= 0, got " + std::to_string(rate));
  return rate;
}

// base^t for t that mostly grow by one: one multiplication, and the same for a t whatever was asked before.
class Powers {
 public:
  explicit Powers(double base) : base_(base) {
    for (std::size_t i = 0; i < kStep; ++i) small_[i] = std::pow(base, static_cast<double>(i));
  }
  double operator()(std::uint64_t t) {
    const std::uint64_t step = t / kStep;
    if (step != step_) large_ = std::pow(base_, static_cast<double>(step * kStep));
    step_ = step;
    return large_ * small_[t % kStep];
  }

 private:
  static constexpr std::size_t kStep = 64;
  double base_, small_[kStep], large_ = 1.0;
  std::uint64_t step_ = 0;
};

class AdamOptimizer final : public Optimizer {
 public:
  explicit AdamOptimizer(const Spec& spec) {
    learning_rate = learning_rate_of(spec);
    const double beta_1 = fraction(spec, "beta_1"), beta_2 = fraction(spec, "beta_2");
    power_1_ = Powers(beta_1);
    power_2_ = Powers(beta_2);
    adam_.gain_1 = static_cast<float>(1.0 - beta_1);
    adam_.gain_2 = static_cast<float>(1.0 - beta_2);
    adam_.epsilon = spec.single("epsilon");
    if (!(adam_.epsilon >= 0.0f)) spec.fail("epsilon must be >= 0, got " + std::to_string(adam_.epsilon));
  }
  const std::vector<std::string>& moments() const override {
    static const std::vector<std::string> names{"momentum", "velocity"};
    return names;
  }
  void begin(std::uint64_t step) override {
    adam_.rate = static_cast<float>(learning_rate * std::sqrt(1.0 - power_2_(step)) / (1.0 - power_1_(step)));
  }
  void update(const Kernels& k, float* w, float* const* moment, const float* gradient,
              std::size_t n) const override {
    k.adam(w, moment[0], moment[1], gradient, adam_, n);
  }

 private:
  Powers power_1_{0.0}, power_2_{0.0};
  Adam adam_{};
};

class SgdOptimizer final : public Optimizer {
 public:
  explicit SgdOptimizer(const Spec& spec) {
    learning_rate = learning_rate_of(spec);
    sgd_.momentum = spec.single("momentum");
    if (!(sgd_.momentum >= 0.0f && sgd_.momentum <= 1.0f))
      spec.fail("momentum must be in [0, 1], got " + std::to_string(sgd_.momentum));
    sgd_.nesterov = spec.flag("nesterov");
  }
  const std::vector<std::string>& moments() const override {
    static const std::vector<std::string> none, names{"momentum"};
    return sgd_.momentum > 0.0f ? names : none;
  }
  void begin(std::uint64_t) override { sgd_.rate = learning_rate; }
  void update(const Kernels& k, float* w, float* const* moment, const float* gradient,
              std::size_t n) const override {
    if (sgd_.momentum > 0.0f)
      k.sgd_momentum(w, moment[0], gradient, sgd_, n);
    else
      k.sgd(w, gradient, sgd_, n);
  }

 private:
  Sgd sgd_{};
};

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const Spec& spec) {
  if (spec.kind == "adam") return std::make_unique<AdamOptimizer>(spec);
  if (spec.kind == "sgd") return std::make_unique<SgdOptimizer>(spec);
  spec.fail("there is no optimizer of this kind");
}

}  // namespace nncore

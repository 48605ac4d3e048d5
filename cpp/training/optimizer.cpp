#include "optimizer.hpp"

#include <algorithm>

namespace nncore {
namespace {

// Of a momentum that grows: the factor 1 - 0.96^t / 2 of step t, and the product of those of steps 1 to t.
double warm_up(std::uint64_t t) { return 1.0 - 0.5 * std::pow(0.96, static_cast<double>(t)); }
double warmed_up(std::uint64_t t) {
  static const std::array products = [] {
    std::array<double, 1024> p{1.0};  // beyond them the factor is 1 in double
    for (std::size_t i = 1; i < p.size(); ++i) p[i] = p[i - 1] * warm_up(i);
    return p;
  }();
  return products[std::min<std::uint64_t>(t, products.size() - 1)];
}

// The scalars of a step, a function for each row.
#define NONE
#define LEARNING_RATE(...)
#define SETTING(name, ...) [[maybe_unused]] Number& name = *setting++;
#define FRACTION(name, ...) SETTING(name)
#define SCALAR(name, ...) *scalar++ = static_cast<float>(__VA_ARGS__);
#define OPTIMIZER(name, settings, moments, scalars, ...)                                       \
  void name##_scalars(float* scalar, [[maybe_unused]] double learning_rate,                    \
                      [[maybe_unused]] Number* setting, [[maybe_unused]] std::uint64_t step) { \
    [[maybe_unused]] const auto power = [step](Number& base) { return base.power(step); };     \
    settings scalars                                                                           \
  }
#include "../kernels/optimizers.def"
#undef SETTING
#undef NONE

constexpr decltype(&sgd_scalars) kScalars[] = {
#define OPTIMIZER(name, ...) name##_scalars,
#include "../kernels/optimizers.def"
};

}  // namespace

Optimizer::Optimizer(const Spec& spec) {
  row_ = row_named(kOptimizers, spec.kind);
  if (row_ == kOptimizers.size()) spec.fail("there is no optimizer of this kind");
  const OptimizerRow& row = kOptimizers[row_];
  moments_.assign(row.moments.begin(), row.moments.begin() + moments_of(row));
  learning_rate = static_cast<float>(spec.setting(row.settings[0]));
  for (std::size_t i = 1; i < kMostSettings && row.settings[i].name; ++i)
    settings_[i - 1] = spec.setting(row.settings[i]);
  weight_decay_ = spec.setting(kWeightDecay);
}

float Optimizer::initial(std::size_t moment) const {
  const SettingList& settings = kOptimizers[row_].settings;
  const std::string name = "initial_" + moments_[moment] + "_value";
  for (std::size_t i = 1; i < kMostSettings && settings[i].name; ++i)
    if (settings[i].name == name) return static_cast<float>(settings_[i - 1]);
  return 0.0f;
}

void Optimizer::begin(std::uint64_t step) {
  decay_ = static_cast<float>(weight_decay_ * learning_rate);
  kScalars[row_](scalars_.data(), learning_rate, settings_.data(), step);
}

}  // namespace nncore

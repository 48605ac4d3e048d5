// The rows of the .def files as enums, names and settings. activation.hpp, loss.hpp, metric.hpp and
// update.hpp compile their formulas for each instruction set.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "../core/setting.hpp"

namespace nncore {

// The index of the row with this name, or rows.size() if there is none.
template <class Rows>
constexpr std::size_t row_named(const Rows& rows, std::string_view name) {
  std::size_t i = 0;
  while (i < rows.size() && rows[i].name != name) ++i;
  return i;
}

#define NONE
#define SETTING(name, initial, least, most) Setting{#name, initial, least, most, (most) == kAny},

// ---- activations

enum class Activation : std::int32_t {
#define ACTIVATION(name, ...) name,
#define ROW_ACTIVATION(name, ...) name,
#include "activations.def"
};

enum class Reads { input, output, either };

struct ActivationRow {
  const char* name;
  SettingList settings;
  Reads reads;     // what the gradient is computed from
  bool over_rows;  // not elementwise
};

constexpr std::array kActivations = {
#define ACTIVATION(name, settings, reads, ...) ActivationRow{#name, {{settings}}, Reads::reads, false},
#define ROW_ACTIVATION(name, settings, reads) ActivationRow{#name, {{settings}}, Reads::reads, true},
#include "activations.def"
};

constexpr const ActivationRow& row_of(Activation kind) {
  return kActivations[static_cast<std::size_t>(kind)];
}

// ---- losses

enum class Loss : std::int32_t {
#define ELEMENTWISE_LOSS(name, ...) name,
#define ROW_LOSS(name, ...) name,
#include "losses.def"
};

struct LossRow {
  const char* name;
  SettingList settings;
  bool sparse;  // targets are class numbers
};

constexpr std::array kLosses = {
#define ELEMENTWISE_LOSS(name, settings, ...) LossRow{#name, {{settings}}, false},
#define ROW_LOSS(name, settings, targets) \
  LossRow{#name, {{settings}}, std::string_view(#targets) == "sparse"},
#include "losses.def"
};

constexpr const LossRow& row_of(Loss kind) { return kLosses[static_cast<std::size_t>(kind)]; }

// If `last` is the last activation of a network, `loss` is computed as `logits` from the inputs of `last`.
struct FromLogits {
  Loss loss;
  Activation last;
  Loss logits;
};

inline constexpr std::array kFromLogits = {
#define FROM_LOGITS(name, last) FromLogits{Loss::name, Activation::last, Loss::name##_logits},
#include "losses.def"
};

// ---- metrics

enum class Metric : std::int32_t {
#define ELEMENTWISE_METRIC(name, ...) name,
#define ROW_METRIC(name, ...) name,
#define COUNT_METRIC(name, ...) name,
#include "metrics.def"
};

struct MetricRow {
  const char* name;
  SettingList settings;
  bool sparse;  // targets are class numbers
  bool counts;  // computed from counts; other metrics are means of one value for each row
};

constexpr std::array kMetrics = {
#define ELEMENTWISE_METRIC(name, settings, ...) MetricRow{#name, {{settings}}, false, false},
#define ROW_METRIC(name, settings, targets) \
  MetricRow{#name, {{settings}}, std::string_view(#targets) == "sparse", false},
#define COUNT_METRIC(name, settings, ...) MetricRow{#name, {{settings}}, false, true},
#include "metrics.def"
};

constexpr const MetricRow& row_of(Metric kind) { return kMetrics[static_cast<std::size_t>(kind)]; }

// ---- optimizers

enum class OptimizerKind : std::int32_t {
#define OPTIMIZER(name, ...) name,
#include "optimizers.def"
};

constexpr std::size_t kMostMoments = std::max({
#define MOMENT(...) +1
#define OPTIMIZER(name, settings, moments, ...) std::size_t{0 moments},
#include "optimizers.def"
});
constexpr std::size_t kMostScalars = std::max({
#define SCALAR(...) +1
#define OPTIMIZER(name, settings, moments, scalars, ...) std::size_t{0 scalars},
#include "optimizers.def"
});

struct OptimizerRow {
  const char* name;
  SettingList settings;                           // the first is the learning rate
  std::array<const char*, kMostMoments> moments;  // names in files; null after the last
};

constexpr std::array kOptimizers = {
#define LEARNING_RATE(initial) SETTING(learning_rate, initial, 0, 3.4e38)
#define FRACTION(name, initial) Setting{#name, initial, 0, 1, true},
#define MOMENT(name, in_files) in_files,
#define OPTIMIZER(name, settings, moments, ...) OptimizerRow{#name, {{settings}}, {{moments}}},
#include "optimizers.def"
};

constexpr const OptimizerRow& row_of(OptimizerKind kind) {
  return kOptimizers[static_cast<std::size_t>(kind)];
}
constexpr std::size_t moments_of(const OptimizerRow& row) {
  std::size_t n = 0;
  while (n < kMostMoments && row.moments[n]) ++n;
  return n;
}

// A setting of every optimizer: w -= w * weight_decay * learning_rate before the update.
constexpr Setting kWeightDecay{"weight_decay", 0, 0, kAny, true};

#undef NONE
#undef SETTING

}  // namespace nncore

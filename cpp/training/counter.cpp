#include "counter.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace nncore {
namespace {

inline double ratio(double part, double whole) { return whole != 0.0 ? part / whole : 0.0; }

template <class F>
inline std::vector<double> at_each(const std::vector<Counts>& counts, F f) {
  std::vector<double> values;
  for (const Counts& n : counts) values.push_back(f(n));
  return values;
}

// The largest of some rates where others, rounded to float as `least` is, are at least that, or 0.
template <class F>
inline std::vector<double> best(const std::vector<Counts>& counts, float least, F rates) {
  double found = 0.0;
  for (const Counts& n : counts)
    if (const auto [limited, rate] = rates(n); static_cast<float>(limited) >= least)
      found = std::fmax(found, rate);
  return {found};
}
inline double precision_of(const Counts& n) {
  return ratio(n.true_positives, n.true_positives + n.false_positives);
}
inline double recall_of(const Counts& n) {
  return ratio(n.true_positives, n.true_positives + n.false_negatives);
}
inline double specificity_of(const Counts& n) {
  return ratio(n.true_negatives, n.true_negatives + n.false_positives);
}

#define NONE
#define SETTING(name, ...) [[maybe_unused]] const float name = *setting++;
#define COUNT_METRIC(name, settings, ...)                                                              \
  std::vector<double> name(const std::vector<Counts>& counts, [[maybe_unused]] const float* setting) { \
    settings __VA_ARGS__                                                                               \
  }
#include "../kernels/metrics.def"
#undef NONE
#undef SETTING

using Result = std::vector<double> (*)(const std::vector<Counts>&, const float*);
constexpr std::array<Result, kMetrics.size()> kResults = {
#define ELEMENTWISE_METRIC(...) nullptr,
#define ROW_METRIC(...) nullptr,
#define COUNT_METRIC(name, ...) name,
#include "../kernels/metrics.def"
};

// The condition of Keras: |t - i / (n - 1)| <= 1e-7 + 1e-5 i / (n - 1)
bool are_even(const std::vector<double>& thresholds) {
  const auto last = static_cast<double>(thresholds.size()) - 1.0;
  for (std::size_t i = 0; i < thresholds.size(); ++i)
    if (const double even = static_cast<double>(i) / last;
        !(std::fabs(thresholds[i] - even) <= 1.000001e-7 + 1e-5 * even))
      return false;
  return thresholds.size() > 2;
}

}  // namespace

Counter::Counter(const Spec& spec)
    : spec_(spec),
      top_k_(spec.integer("top_k")),
      class_id_(spec.integer("class_id")),
      from_logits_(spec.flag("from_logits")),
      multi_label_(spec.flag("multi_label")),
      label_weights_(spec.numbers("label_weights")),
      labels_(multi_label_ ? static_cast<std::size_t>(spec.integer("num_labels")) : 1) {
  const std::size_t row = row_named(kMetrics, spec.kind);
  if (row == kMetrics.size() || !kMetrics[row].counts)
    spec.fail("expected a metric that is computed from counts");
  metric_ = static_cast<Metric>(row);
  settings_ = spec.settings(kMetrics[row].settings);
  if (spec.attributes.count("average")) average_ = spec.integer("average");
  if (spec.attributes.count("ties")) ties_ = spec.flag("ties");
  const std::vector<double> given = spec.numbers("thresholds");
  constexpr std::size_t kMost = 1 << 20;  // codes are whole numbers in float
  if (given.empty() || given.size() > kMost)
    spec.fail("expected 1 to " + std::to_string(kMost) + " thresholds, got " + std::to_string(given.size()));
  even_ = are_even(given);
  order_.resize(given.size());
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::ranges::stable_sort(order_, {}, [&](std::size_t i) { return given[i]; });
  for (const std::size_t i : order_) thresholds_.push_back(static_cast<float>(given[i]));
  totals_.resize(labels_ * 2 * (given.size() + 1));
}

void Counter::fit(std::size_t columns) {
  const auto most = static_cast<std::ptrdiff_t>(columns);
  const std::string got = ", got rows of " + std::to_string(columns);
  if (class_id_ >= most) spec_.fail("expected more than " + std::to_string(class_id_) + " classes" + got);
  if (top_k_ > most) spec_.fail("expected at least " + std::to_string(top_k_) + " classes" + got);
  if (!label_weights_.empty() && label_weights_.size() != columns)
    spec_.fail("expected one value for each of " + std::to_string(label_weights_.size()) + " labels" + got);
  if (!multi_label_) return;
  if (labels_ && labels_ != columns) spec_.fail("expected " + std::to_string(labels_) + " labels" + got);
  labels_ = columns;
  totals_.resize(labels_ * 2 * (thresholds_.size() + 1));
}

void Counter::encode(const Kernels& k, float* code, const float* target, const float* y, std::size_t rows,
                     std::size_t columns) const {
  const Thresholds t{thresholds_.data(), thresholds_.size(), even_, from_logits_};
  if (class_id_ < 0)
    k.encode(code, target, y, t, rows * columns);
  else
    for (std::size_t r = 0, at = static_cast<std::size_t>(class_id_); r < rows; ++r, at += columns)
      k.encode(code + r, target + at, y + at, t, 1);
  if (top_k_ < 0) return;

  // Predictions are ranked from the largest; of equal ones the smaller index comes first.
  const float positive = static_cast<float>(thresholds_.size() + 1);
  for (std::size_t r = 0; r < rows; ++r, y += columns) {
    const auto before = [&](std::size_t i, std::size_t j) { return y[i] > y[j] || (y[i] == y[j] && i < j); };
    std::size_t last = columns;  // index of the last one found
    for (std::ptrdiff_t i = 0; i < top_k_; ++i) {
      std::size_t next = columns;
      for (std::size_t j = 0; j < columns; ++j)
        if (y[j] == y[j] && (last == columns || before(last, j)) && (next == columns || before(j, next)))
          next = j;
      if (next == columns) break;
      last = next;
    }
    for (std::size_t c = 0; c < codes(columns); ++c, ++code)
      if (const std::size_t i = class_id_ < 0 ? c : static_cast<std::size_t>(class_id_);
          last < columns && before(last, i) && !(ties_ && y[i] == y[last]))
        *code = *code >= positive ? positive : 0.0f;
  }
}

void Counter::add(const float* code, std::size_t rows, std::size_t codes, const float* weight,
                  std::size_t row, std::size_t step) {
  const std::size_t label = multi_label_ ? 2 * (thresholds_.size() + 1) : 0;
  const bool labelled = !multi_label_ && !label_weights_.empty();
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < codes; ++c) {
      const double w = weight ? weight[r * row + c * step] : 1.0;
      totals_[c * label + static_cast<std::size_t>(*code++)] += labelled ? w * label_weights_[c] : w;
    }
}

void Counter::merge(const Counter& other) {
  if (other.totals_.size() != totals_.size())
    spec_.fail("expected the same metric with " + std::to_string(totals_.size()) + " sums, got " +
               std::to_string(other.totals_.size()));
  for (std::size_t i = 0; i < totals_.size(); ++i) totals_[i] += other.totals_[i];
}

void Counter::set_totals(std::vector<double> totals) {
  const std::size_t label = 2 * (thresholds_.size() + 1);
  if (totals.size() % label != 0 || (!multi_label_ && totals.size() != label))
    spec_.fail("expected sums at " + std::to_string(thresholds_.size()) + " thresholds, got " +
               std::to_string(totals.size()) + " sums");
  labels_ = totals.size() / label;
  totals_ = std::move(totals);
}

void Counter::reset() { std::ranges::fill(totals_, 0.0); }

Value Counter::result() const {
  const std::size_t n = thresholds_.size();
  std::vector<double> mean;  // weighted, over labels
  double weights = 0.0;
  for (std::size_t label = 0; label < std::max<std::size_t>(labels_, 1); ++label) {
    std::vector<Counts> counts(n);
    if (labels_) {
      const double *negatives = totals_.data() + label * 2 * (n + 1), *positives = negatives + n + 1;
      Counts below{}, above{};
      for (std::size_t i = 0; i < n; ++i) {
        counts[order_[i]].true_negatives = below.true_negatives += negatives[i];
        counts[order_[i]].false_negatives = below.false_negatives += positives[i];
      }
      for (std::size_t i = n; i-- > 0;) {
        counts[order_[i]].true_positives = above.true_positives += positives[i + 1];
        counts[order_[i]].false_positives = above.false_positives += negatives[i + 1];
      }
    }
    const std::vector<double> values = kResults[static_cast<std::size_t>(metric_)](counts, settings_.data());
    if (average_ == 2) {
      mean.insert(mean.end(), values.begin(), values.end());
      weights = 1.0;
      continue;
    }
    double weight = multi_label_ && !label_weights_.empty() && labels_ ? label_weights_[label] : 1.0;
    if (average_ == 1) weight = counts[0].true_positives + counts[0].false_negatives;
    mean.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) mean[i] += weight * values[i];
    weights += weight;
  }
  for (double& value : mean) value = ratio(value, weights);
  if (mean.size() == 1 && average_ != 2) return mean[0];
  return mean;
}

}  // namespace nncore

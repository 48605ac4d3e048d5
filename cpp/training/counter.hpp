// Metrics made of counts: of targets that are 0 or not, by the thresholds between which their predictions
// lie.
#pragma once

#include <variant>
#include <vector>

#include "../core/spec.hpp"
#include "../kernels/kernels.hpp"

namespace nncore {

// Sums of weights, where a prediction is positive if it exceeds the threshold.
struct Counts {
  double true_positives, false_positives, true_negatives, false_negatives;
};

// One number or, where a metric has several thresholds, one for each.
using Value = std::variant<double, std::vector<double>>;

// One such metric and what it has counted. Results depend on the order of `add` alone.
class Counter {
 public:
  // Attributes: thresholds, top_k and class_id (-1: none), multi_label, num_labels (0: not known yet),
  // label_weights, from_logits, and the settings of the row. Throws std::invalid_argument.
  [[gnu::cold]] explicit Counter(const Spec& spec);

  // Throws std::invalid_argument unless rows of so many columns can be counted.
  void fit(std::size_t columns);
  // Codes of a row.
  std::size_t codes(std::size_t columns) const { return class_id_ < 0 ? columns : 1; }
  // code (rows, codes): what `add` wants to know of each target and prediction, both (rows, columns).
  void encode(const Kernels& k, float* code, const float* target, const float* y, std::size_t rows,
              std::size_t columns) const;
  // weight[r * row + c * step] is that of code c of row r; null: 1 for all.
  void add(const float* code, std::size_t rows, std::size_t codes, const float* weight, std::size_t row,
           std::size_t step);
  void merge(const Counter& other);  // of the same metric, and fit for as many columns
  void reset();
  const Spec& spec() const { return spec_; }
  const std::vector<double>& totals() const { return totals_; }
  void set_totals(std::vector<double> totals);
  Value result() const;

 private:
  Spec spec_;
  Metric metric_;
  Settings settings_;
  std::vector<float> thresholds_;   // ascending
  std::vector<std::size_t> order_;  // of each among those given
  std::ptrdiff_t top_k_, class_id_;
  bool even_ = false, from_logits_, multi_label_;
  std::vector<double> label_weights_;
  std::size_t labels_ = 0;      // that are counted apart; 0 if that is not known yet
  std::vector<double> totals_;  // (labels, whether the target is 1, thresholds exceeded)
};

}  // namespace nncore

// Metrics computed from counts of targets that are 0 or not, by the thresholds that their predictions exceed.
#pragma once

#include <variant>
#include <vector>

#include "../core/spec.hpp"
#include "../kernels/kernels.hpp"

namespace nncore {

// Sums of weights. A prediction is positive if it exceeds the threshold.
struct Counts {
  double true_positives, false_positives, true_negatives, false_negatives;
};

// One number, or one for each threshold of a metric that has several.
using Value = std::variant<double, std::vector<double>>;

// Such a metric and its counts. Results depend on the order of `add` alone.
class Counter {
 public:
  // Attributes: thresholds, top_k and class_id (-1: none), multi_label, num_labels (0: not known yet),
  // label_weights, from_logits, and the settings of the row; with multi_label perhaps average: of the labels'
  // values 0 the mean, 1 that by their positive targets, 2 each. With top_k = 1 perhaps ties: all of the
  // largest predictions of a row, and not the first of them. Throws std::invalid_argument.
  [[gnu::cold]] explicit Counter(const Spec& spec);

  // Throws std::invalid_argument if rows of this many columns cannot be counted.
  void fit(std::size_t columns);
  // Codes of a row.
  std::size_t codes(std::size_t columns) const { return class_id_ < 0 ? columns : 1; }
  // code (rows, codes): the argument of `add` for targets and predictions, both (rows, columns).
  void encode(const Kernels& k, float* code, const float* target, const float* y, std::size_t rows,
              std::size_t columns) const;
  // weight[r * row + c * step] is the weight of code c of row r. Null: all weights are 1.
  void add(const float* code, std::size_t rows, std::size_t codes, const float* weight, std::size_t row,
           std::size_t step);
  void merge(const Counter& other);  // of the same metric, for as many columns
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
  std::vector<std::size_t> order_;  // index of each among the given thresholds
  std::ptrdiff_t top_k_, class_id_;
  bool even_ = false, from_logits_, multi_label_, ties_ = false;
  std::int64_t average_ = 0;
  std::vector<double> label_weights_;
  std::size_t labels_ = 0;      // labels with counts of their own; 0: not known yet
  std::vector<double> totals_;  // (labels, whether the target is 1, thresholds exceeded)
};

}  // namespace nncore

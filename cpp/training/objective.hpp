// The objective of an output: a loss, metrics, and the last activation if the loss is computed from logits.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "../core/source.hpp"
#include "../kernels/kernels.hpp"
#include "../layers/activation.hpp"
#include "../runtime/memory.hpp"
#include "counter.hpp"

namespace nncore {

// What a loss of a batch is: the attribute "reduction". `weighted_mean` divides by the sum of the weights.
enum class Reduction { mean, sum, weighted_mean };

// A loss with its settings.
struct LossFunction {
  Loss kind;
  Settings settings;
  Reduction reduction = Reduction::mean;

  const LossRow& row() const { return row_of(kind); }

  // As LossKernel.
  void operator()(const Kernels& k, float* value, float* dx, const float* target, const float* x,
                  const float* scale, std::size_t rows, std::size_t columns) const {
    k.loss[static_cast<std::size_t>(kind)](value, dx, target, x, scale, settings.data(), rows, columns);
  }
};

// Reads the name of a row, and the attributes that set one of its settings.
LossFunction loss_of(const Spec& spec);

// What a metric reports of its mean: its attribute "result".
enum class Reported { mean, root, negative };

// A metric with one value a row and its settings, or a loss as a metric.
struct MetricFunction {
  std::variant<Metric, LossFunction> kind;
  Settings settings;
  Reported reported = Reported::mean;

  bool is_sparse() const;
  // As MetricKernel.
  void operator()(const Kernels& k, float* value, const float* target, const float* y, std::size_t rows,
                  std::size_t columns) const;
};
MetricFunction metric_of(const Spec& spec);
bool is_counted(const Spec& metric);

// A metric of an output that is computed from counts.
struct Counted {
  Counter counter;
  std::size_t index;  // among all results of the output
  bool weighted;
  std::size_t offset;  // codes of a sample that belong to metrics before it
};

// Sums of loss and metrics over the samples of a call. Order of the results: the loss; then for each output
// its own loss, if there are several, and its metrics.
struct Sums {
  std::vector<double> values, weights;  // of losses and the metrics that are means
  std::vector<Reported> reported;       // of each value; means where it is shorter
  struct Count {
    Counter counter;
    std::size_t index;  // among all results
  };
  std::vector<Count> counted;

  std::vector<Value> results() const;
  // All sums, to be saved and restored.
  std::vector<double> totals() const;
  void set_totals(const std::vector<double>& totals);  // throws std::invalid_argument for another number
};

class Objective {
 public:
  // Metrics from index `weighted_from` on use sample weights. last: the activation that ends the network.
  // masked: whether a mask says which rows of outputs count, for the loss and for metrics that are means.
  // Throws std::invalid_argument for unknown names and for metrics that do not suit the loss.
  Objective(const std::optional<Spec>& loss, const std::vector<Spec>& metrics, std::size_t weighted_from,
            const Shape& output, const ActivationFunction& last, bool masked = false);

  // Whether the loss is computed from the inputs of this activation, the last one.
  static bool takes_over(const std::optional<Spec>& loss, const ActivationFunction& last);
  // The last activation if the network ends in logits; else linear.
  const ActivationFunction& activation() const { return activation_; }

  bool has_loss() const { return loss_.has_value(); }
  bool has_metrics() const { return !means_.empty() || !counted_.empty(); }
  std::size_t mean_count() const { return means_.size(); }
  Reported reported(std::size_t mean) const { return means_[mean].reported; }
  std::size_t weighted_means_from() const { return weighted_means_from_; }
  const std::vector<Counted>& counted() const { return counted_; }
  std::size_t codes(const Counted& c) const { return rows_ * c.counter.codes(columns_); }  // of a sample
  std::size_t codes() const;  // of a sample, of all counted metrics
  std::size_t target_size() const { return sparse_ ? rows_ : rows_ * columns_; }  // floats a sample
  std::size_t rows() const { return rows_; }                                      // of outputs in a sample

  // Throws std::invalid_argument unless y holds targets of the right shape for `samples` samples.
  void check_shape(const Source& y, std::size_t samples) const;
  // Throws std::invalid_argument unless the targets of one sample, as read, name classes that exist.
  void check_labels(const float* target, std::size_t row) const;
  bool has_labels() const { return sparse_; }

  // Offsets in one buffer of the arrays of a batch of up to `batch` samples.
  struct Offsets {
    std::size_t batch;
    std::size_t target, weight;  // (batch, target_size()), (batch)
    std::size_t value, scale;    // scratch: rows() floats a sample
    std::size_t activation;      // scratch: the outputs, if the network ends in logits
    std::size_t loss;            // (batch): mean over a sample's rows, times its weight
    std::size_t factor;          // by which their mean is multiplied to give the loss
    std::size_t mean;            // (mean_count(), batch): of each metric, over a sample's rows
    std::size_t counted;         // (batch): rows of a sample that the mask leaves
    std::size_t code;            // for each counted metric (batch, codes of a sample)
  };
  Offsets lay_out(Layout& layout, std::size_t batch) const;
  // Sets the factor of a batch by the weights, if it is weighted, and by the rows counted.
  void set_factor(float* buffer, const Offsets& p, bool weighted, std::size_t samples) const;
  // Counts the rows that a mask leaves in each of `samples` samples from `first` of the batch on.
  void count_rows(float* buffer, const Offsets& p, const float* mask, std::size_t first,
                  std::size_t samples) const;
  bool is_masked() const { return masked_; }
  // The share of the rows of a sample that count.
  double share(const float* buffer, const Offsets& p, std::size_t sample) const {
    return masked_ ? double{buffer[p.counted + sample]} / static_cast<double>(rows_) : 1.0;
  }
  // Evaluates `samples` samples from `first` of the batch on. output: the last values of the network.
  // gradient: null, or receives that of the sum over samples of weight * loss * scale by output.
  // mask: (samples, rows()) or null.
  void evaluate(const Kernels& k, float* buffer, const Offsets& p, bool weighted, const float* mask,
                std::size_t first, std::size_t samples, const float* output, float* gradient,
                float scale) const;

 private:
  Shape output_;
  std::size_t rows_, columns_;
  bool sparse_ = false, masked_;
  std::optional<LossFunction> loss_;
  std::vector<MetricFunction> means_;
  std::size_t weighted_means_from_ = 0;
  std::vector<Counted> counted_;
  ActivationFunction activation_;
};

}  // namespace nncore

// What a network is judged by: a loss, metrics, and the last activation where the loss takes logits instead.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "../kernels/kernels.hpp"
#include "../layers/activation.hpp"
#include "source.hpp"

namespace nncore {

Metric metric_named(const std::string& name);
bool is_sparse(Metric metric);

// A loss with its settings.
struct LossFunction {
  Loss kind;
  Settings settings;

  const LossRow& row() const { return row_of(kind); }

  // As LossKernel.
  void operator()(const Kernels& k, float* value, float* dx, const float* target, const float* x,
                  const float* scale, std::size_t rows, std::size_t columns) const {
    k.loss[static_cast<std::size_t>(kind)](value, dx, target, x, scale, settings.data(), rows, columns);
  }
};

// From the name of a row, and an attribute for each of its settings that is not the default.
LossFunction loss_of(const Spec& spec);

class Objective {
 public:
  // last: the activation that ends the network. Throws std::invalid_argument for names that do not exist or
  // fit.
  Objective(const std::optional<Spec>& loss, const std::vector<std::string>& metrics, const Shape& output,
            const ActivationFunction& last);

  // The last activation, if it is left to this class and the network ends in logits.
  const ActivationFunction& activation() const { return activation_; }

  bool has_loss() const { return loss_.has_value(); }
  std::size_t metric_count() const { return metrics_.size(); }
  std::size_t target_size() const { return sparse_ ? rows_ : rows_ * columns_; }  // floats a sample
  std::size_t rows() const { return rows_; }                                      // of outputs in a sample

  // Throws std::invalid_argument unless y holds targets of the right shape for `samples` samples.
  void check_shape(const Source& y, std::size_t samples) const;
  // Throws std::invalid_argument unless the targets of one sample, as read, name classes that exist.
  void check_labels(const float* target, std::size_t row) const;
  bool has_labels() const { return sparse_; }

  struct Result {
    float* value;       // scratch: rows() floats a sample
    float* scale;       // scratch: rows() floats a sample
    float* activation;  // scratch: the outputs, where the network ends in logits
    float* loss;        // (samples): mean over a sample's rows, times its weight
    float* metric;      // (metric_count, stride): mean over a sample's rows
    std::size_t stride;
  };
  // output: the network's last values. gradient: of sum over samples of weight * loss * scale by them, or
  // null. weight: (samples), or null.
  void evaluate(const Kernels& k, const Result& r, float* gradient, const float* output, const float* target,
                const float* weight, float scale, std::size_t samples) const;

 private:
  Shape output_;
  std::size_t rows_, columns_;
  bool sparse_ = false;
  std::optional<LossFunction> loss_;
  std::vector<Metric> metrics_;
  ActivationFunction activation_;
};

}  // namespace nncore

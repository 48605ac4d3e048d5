// The variables of a network's layers, and the gradients and moments of those that train.
#pragma once

#include <memory>
#include <vector>

#include "../graph/plan.hpp"

namespace nncore {

// A parameter in flat copies of all parameters, which are in the order that users see.
struct FlatParameter {
  std::size_t layer;   // index in the graph
  std::size_t index;   // among the layer's parameters
  std::size_t offset;  // floats
};

// Contiguous trained values, whose gradients and moments are contiguous from `at` on.
struct UpdateRun {
  float* values;
  std::size_t at, floats;
};

class Weights {
 public:
  // Joins the stores of the variables (one item a layer) and moves them together in memory. All train.
  Weights(std::vector<std::shared_ptr<Variables>> variables, bool input_gradients);

  Store& store() const { return *store_; }
  const std::vector<std::shared_ptr<Variables>>& variables() const { return variables_; }
  Variables& of(std::size_t layer) const { return *variables_[layer]; }
  const Parameter& parameter(const FlatParameter& p) const { return of(p.layer).list()[p.index]; }
  const std::vector<FlatParameter>& flat_parameters() const { return flat_parameters_; }
  std::size_t flat_size() const { return flat_size_; }  // floats of a flat copy

  const TrainedLayout& trained() const { return trained_; }
  bool is_trained(const FlatParameter& p) const { return trained_.trains[p.layer] && !parameter(p).is_state; }
  TrainedLayout layout(const std::vector<bool>& trainable) const;
  void train(TrainedLayout layout, std::vector<Buffer> new_moments);

  // Copy flat_size() values. buffer: null for the values, else gradients, moments or another buffer of their
  // layout; what does not train then reads as zero and is not written.
  void read(const Buffer* buffer, float* values) const;
  void write(Buffer* buffer, const float* values);
  // Copies a buffer of that layout to the values.
  void set_trained(const Buffer& values);

  // Must be called again whenever variables have moved.
  void find_runs();
  const std::vector<UpdateRun>& runs() const { return runs_; }

  Buffer gradients;
  std::vector<Buffer> moments;

 private:
  std::vector<std::shared_ptr<Variables>> variables_;
  std::shared_ptr<Store> store_;
  std::vector<FlatParameter> flat_parameters_;
  std::size_t flat_size_ = 0;
  TrainedLayout trained_;
  std::vector<UpdateRun> runs_;
};

}  // namespace nncore

// From specs to the steps that run: shapes, parameters, and fusion, which is known nowhere else.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../layers/activation.hpp"
#include "../layers/layer.hpp"

namespace nncore {

// Where a parameter lies in flat copies of all, in the order in which the user sees them.
struct Place {
  std::size_t layer;  // number of the spec
  std::size_t index;  // among the layer's parameters
  Parameter parameter;
  std::size_t offset;  // floats
};

struct Step {
  std::unique_ptr<Layer> layer;
  std::size_t spec;  // number of the spec whose parameters and random numbers it uses
  std::string label;
};

class Plan {
 public:
  // Throws std::invalid_argument naming the layer that does not accept its input. detach_last: leave the
  // activation of the last spec out, so that the network ends in logits.
  Plan(const Shape& input, const std::vector<Spec>& specs, bool fuse, bool detach_last);

  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<Place>& places() const { return places_; }
  std::size_t parameter_floats() const { return parameter_floats_; }  // of a flat copy
  const Shape& output() const { return steps_.empty() ? input_ : steps_.back().layer->output(); }

 private:
  void add(std::size_t number, std::unique_ptr<Layer> layer, std::string label);

  Shape input_;
  std::vector<Step> steps_;
  std::vector<Place> places_;
  std::size_t parameter_floats_ = 0;
};

// The activation that ends a network of these specs; linear if there is none.
ActivationFunction last_activation(const std::vector<Spec>& specs);

}  // namespace nncore

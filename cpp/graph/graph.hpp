// What a network computes: layers, calls of them, and the values that calls read and make.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../layers/activation.hpp"
#include "../layers/layer.hpp"

namespace nncore {

// One use of a layer.
struct Call {
  std::size_t layer;
  std::vector<std::size_t> inputs;  // numbers of values
};

// Values are numbered: the inputs of the graph, then what each call makes.
struct Graph {
  std::vector<Shape> inputs;  // of one sample; a size may be kOpen
  std::vector<Spec> layers;
  std::vector<Call> calls;  // in an order in which they can run
  std::vector<std::size_t> outputs;
  // Values whose elements a regularizer penalizes.
  struct Penalized {
    std::size_t value;
    Spec regularizer;
  };
  std::vector<Penalized> penalized = {};

  static Graph chain(Shape input, std::vector<Spec> layers);

  std::size_t value_of(std::size_t call) const { return inputs.size() + call; }
  std::size_t values() const { return inputs.size() + calls.size(); }
  // The values that are read besides those that calls read: the outputs, then what is penalized.
  std::vector<std::size_t> ends() const;
  // Of each value, whether one of these needs it.
  std::vector<bool> needed_by(const std::vector<std::size_t>& those) const;
  // Throws std::invalid_argument unless numbers exist, and calls read values made before them.
  void check() const;
  // Throws std::invalid_argument unless samples of this shape fit an input.
  void check_input(std::size_t input, const Shape& sample) const;
  // The activation that makes an output, where nobody else reads the value or what is before it; else linear.
  ActivationFunction last_activation(std::size_t output) const;
};

// A call as it will run, alone or fused with others.
struct Node {
  Spec spec;
  std::size_t layer, call;  // whose variables and random numbers it uses
  std::vector<std::size_t> inputs;
  std::size_t output;
  std::string label;
  std::shared_ptr<Layer> made;  // shared by calls of one layer on equal shapes
  // A normalization that is part of the weights: the number of its layer, and the layer.
  std::size_t normalization = 0;
  std::shared_ptr<Layer> normalizes;
};

// The calls of a graph for inputs of these shapes. detached: for each value, whether the activation that
// makes it is left out. Throws std::invalid_argument naming the layer that does not accept its input.
std::vector<Node> nodes_of(const Graph& graph, const std::vector<Shape>& inputs,
                           const std::vector<bool>& detached);
// Without the nodes that no end needs.
void drop_unused(const Graph& graph, std::vector<Node>& nodes);
// One node for several wherever a rule allows it. for_inference: also those that training cannot use.
void fuse(const Graph& graph, std::vector<Node>& nodes, bool for_inference);
// An activation becomes a node of its own: the graph that fused ones are held equal to.
void split(std::vector<Node>& nodes, std::size_t& values);

}  // namespace nncore

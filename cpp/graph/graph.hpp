// The graph of a network: layers, calls of them, and the values that calls read and write.
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

constexpr std::size_t kNoMask = SIZE_MAX;

// Values are numbered: first the inputs of the graph, then the output of each call.
struct Graph {
  std::vector<Shape> inputs;  // of one sample; a size may be kOpen
  std::vector<Spec> layers;
  std::vector<Call> calls;  // in topological order
  std::vector<std::size_t> outputs;
  // Values whose elements a regularizer penalizes.
  struct Penalized {
    std::size_t value;
    Spec regularizer;
  };
  std::vector<Penalized> penalized = {};
  // For each output the value that masks its rows, 1 where a row counts for the loss and 0 where it does not,
  // or kNoMask. Empty: no masks.
  std::vector<std::size_t> masks = {};

  static Graph chain(Shape input, std::vector<Spec> layers);

  std::size_t value_of(std::size_t call) const { return inputs.size() + call; }
  std::size_t values() const { return inputs.size() + calls.size(); }
  // The outputs, the penalized values, then the masks: what is read when all calls have run.
  std::vector<std::size_t> ends() const;
  // For each value, whether one of `those` depends on it.
  std::vector<bool> needed_by(const std::vector<std::size_t>& those) const;
  // Throws std::invalid_argument unless numbers exist, and calls read values made before them.
  void check() const;
  // Throws std::invalid_argument unless samples of this shape fit an input.
  void check_input(std::size_t input, const Shape& sample) const;
  // The activation that computes an output. Linear if anything else reads the output or its input.
  ActivationFunction last_activation(std::size_t output) const;
};

// A call as it will run, alone or fused with others.
struct Node {
  Spec spec;
  std::size_t layer, call;  // the layer owns the variables, the call names the random numbers
  std::vector<std::size_t> inputs;
  std::size_t output;
  std::string label;
  std::shared_ptr<Layer> made;  // shared by calls of one layer on equal shapes
  // A normalization folded into the weights: the number of its layer, and the layer.
  std::size_t normalization = 0;
  std::shared_ptr<Layer> normalizes;
};

// The calls of a graph for inputs of these shapes. detached: for each value, whether the activation that
// computes it is left out. Throws std::invalid_argument that names the layer that does not accept its input.
std::vector<Node> nodes_of(const Graph& graph, const std::vector<Shape>& inputs,
                           const std::vector<bool>& detached);
// Removes the nodes that no end depends on.
void drop_unused(const Graph& graph, std::vector<Node>& nodes);
// Fuses nodes wherever a rule allows it. for_inference: also by rules that training cannot use.
void fuse(const Graph& graph, std::vector<Node>& nodes, bool for_inference);
// Makes each activation a node of its own. Tests compare fused graphs with this one.
void split(std::vector<Node>& nodes, std::size_t& values);

}  // namespace nncore

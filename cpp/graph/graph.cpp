#include "graph.hpp"

#include <algorithm>

namespace nncore {

Graph Graph::chain(Shape input, std::vector<Spec> layers) {
  Graph graph{{std::move(input)}, std::move(layers), {}, {}};
  for (std::size_t i = 0; i < graph.layers.size(); ++i) graph.calls.push_back({i, {i}});
  graph.outputs = {graph.calls.size()};
  return graph;
}

void Graph::check() const {
  const auto require = [](bool good, const char* what) {
    if (!good) throw std::invalid_argument(std::string("a graph needs ") + what);
  };
  require(!inputs.empty() && !outputs.empty(), "inputs and outputs");
  for (std::size_t i = 0; i < calls.size(); ++i) {
    require(calls[i].layer < layers.size(), "layers that its calls name");
    require(!calls[i].inputs.empty(), "calls of 1 input or more");
    for (const std::size_t value : calls[i].inputs)
      require(value < value_of(i), "calls that read values made before them");
  }
  require(masks.empty() || masks.size() == outputs.size(), "a mask for each output, or none");
  for (const std::size_t value : ends()) require(value < values(), "outputs that are values");
}

std::vector<std::size_t> Graph::ends() const {
  std::vector<std::size_t> all = outputs;
  for (const Penalized& p : penalized) all.push_back(p.value);
  for (const std::size_t mask : masks)
    if (mask != kNoMask) all.push_back(mask);
  return all;
}

std::vector<bool> Graph::needed_by(const std::vector<std::size_t>& those) const {
  std::vector<bool> found(values());
  for (const std::size_t value : those) found[value] = true;
  for (std::size_t i = calls.size(); i-- > 0;)
    if (found[value_of(i)])
      for (const std::size_t value : calls[i].inputs) found[value] = true;
  return found;
}

void Graph::check_input(std::size_t input, const Shape& sample) const {
  const Shape& expected = inputs[input];
  if (std::ranges::equal(expected, sample, [](std::size_t want, std::size_t got) {
        return want == kOpen ? got > 0 : want == got;
      }))
    return;
  std::string text;
  for (const std::size_t d : expected)
    text += (text.empty() ? "" : ", ") + (d == kOpen ? "None" : std::to_string(d));
  throw std::invalid_argument(
      "expected samples of shape (" + text + (expected.size() == 1 ? ",)" : ")") + ", got " +
      to_string(sample) + (inputs.size() > 1 ? " for input number " + std::to_string(input) : std::string()));
}

namespace {

// How many calls and ends read a value.
std::size_t readers_of(const Graph& graph, std::size_t value) {
  std::size_t count = static_cast<std::size_t>(std::ranges::count(graph.ends(), value));
  for (const Call& call : graph.calls)
    count += static_cast<std::size_t>(std::ranges::count(call.inputs, value));
  return count;
}

}  // namespace

ActivationFunction Graph::last_activation(std::size_t output) const {
  const std::size_t value = outputs[output];
  if (value < inputs.size() || readers_of(*this, value) > 1) return {};
  const Call& call = calls[value - inputs.size()];
  const Spec& spec = layers[call.layer];
  if (!spec.attributes.count("activation")) return {};
  // A detached activation layer becomes a view, so nothing else may read its input.
  if (spec.kind == "activation" && readers_of(*this, call.inputs[0]) > 1) return {};
  return activation_of(spec);
}

std::vector<Node> nodes_of(const Graph& graph, const std::vector<Shape>& inputs,
                           const std::vector<bool>& detached) {
  std::vector<Node> nodes;
  std::vector<std::vector<std::size_t>> of_layer(graph.layers.size());  // indices, one a Layer object
  std::vector<Shape> shapes = inputs;
  for (std::size_t i = 0; i < graph.calls.size(); ++i) {
    const Call& call = graph.calls[i];
    Node node{
        graph.layers[call.layer], call.layer, i, call.inputs, graph.value_of(i), {}, nullptr, 0, nullptr};
    if (detached[node.output]) node.spec = without_activation(node.spec);
    node.label = label_of(node.spec);
    std::vector<Shape> from;
    for (const std::size_t value : call.inputs) from.push_back(shapes[value]);
    for (const std::size_t number : of_layer[call.layer]) {
      const Node& other = nodes[number];
      if (detached[other.output] == detached[node.output] &&
          std::ranges::equal(other.inputs, from, {}, [&](std::size_t value) { return shapes[value]; }))
        node.made = other.made;
    }
    if (!node.made) {
      node.made = make_layer(node.spec, from);
      of_layer[call.layer].push_back(i);
    }
    shapes.push_back(node.made->output());
    nodes.push_back(std::move(node));
  }
  return nodes;
}

void drop_unused(const Graph& graph, std::vector<Node>& nodes) {
  const std::vector<bool> needed = graph.needed_by(graph.ends());
  std::erase_if(nodes, [&](const Node& node) { return !needed[node.output]; });
}

}  // namespace nncore

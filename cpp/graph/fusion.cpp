// Fusion: rules that replace two nodes by one.
#include <algorithm>
#include <array>

#include "../layers/conv2d_pool.hpp"
#include "graph.hpp"

namespace nncore {
namespace {

// A layer with a linear activation, and an activation layer that follows it.
bool with_its_activation(Node& node, Node& next) {
  if (next.spec.kind != kActivation || node.spec.kind == kActivation || !has_activation(node.spec) ||
      !activation_of(node.spec).is_linear())
    return false;
  node.spec = with_activation(node.spec, next.spec);
  if (!activation_of(next.spec).is_linear()) node.label += "+" + label_of(next.spec);
  node.made = make_layer(node.spec, {node.made->input()});
  return true;
}

bool conv2d_and(const Spec& pool, Node& node) {
  std::shared_ptr<Layer> both = fuse_conv2d_pool(node.spec, pool, node.made->input());
  if (!both) return false;
  node.label += "+" + pool.kind;
  node.spec = {node.label, {}};
  node.made = std::move(both);
  return true;
}

bool conv2d_with_pooling(Node& node, Node& next) {
  return node.spec.kind == "conv2d" && next.spec.kind == "max_pooling2d" && conv2d_and(next.spec, node);
}

// The largest divisor of n that is at most `most`.
std::size_t divisor(std::size_t n, std::size_t most) {
  std::size_t d = std::min(n, most);
  while (n % d) --d;
  return d;
}

// A convolution of steps and the largest value of each channel: the convolution is pooled over windows with
// it, and the other layer, which stays, pools what they give.
bool conv2d_with_global_pooling(Node& node, Node& next) {
  if (node.spec.kind != "conv2d" || next.spec.kind != "global_max_pooling2d" ||
      !node.spec.attributes.count("of_steps"))
    return false;
  const std::vector<std::int64_t> window{1, offset(divisor(node.made->output()[0], kMostPoolPositions))};
  constexpr std::int64_t kLeast = 4;
  const Spec pool{
      "max_pooling2d",
      {{"pool_size", window}, {"strides", window}, {"padding", std::string("valid")}, {"of_steps", true}}};
  if (window[1] < kLeast || !conv2d_and(pool, node)) return false;
  next.made = make_layer(next.spec, {node.made->output()});
  return true;
}

// A linear dense layer or convolution, and a batch normalization of its channels by moving statistics.
bool with_normalization(Node& node, Node& next) {
  if (next.spec.kind != "batch_normalization" || node.normalizes ||
      (node.spec.kind != "dense" && node.spec.kind != "conv2d") || !activation_of(node.spec).is_linear())
    return false;
  const std::int64_t axis = next.spec.integer("axis");
  if (axis != -1 && axis != static_cast<std::int64_t>(node.made->output().size())) return false;
  node.spec.attributes["use_bias"] = true;
  node.label += "+" + next.label;
  node.made = make_layer(node.spec, {node.made->input()});
  node.normalization = next.layer;
  node.normalizes = next.made;
  return true;
}

// `apply` fuses next into node and returns true if it can. No other node may read the output of node.
struct Rule {
  bool (*apply)(Node& node, Node& next);
  bool for_inference = false;  // only
  bool keeps_next = false;
};
constexpr std::array kRules = {Rule{with_its_activation}, Rule{conv2d_with_pooling},
                               Rule{conv2d_with_global_pooling, false, true}, Rule{with_normalization, true}};

}  // namespace

// Layers with several calls are not fused, as their calls share tiles.
void fuse(const Graph& graph, std::vector<Node>& nodes, bool for_inference) {
  std::vector<std::size_t> readers(graph.values()), reader(graph.values()), calls(graph.layers.size());
  for (const std::size_t value : graph.ends()) ++readers[value];
  for (const Node& node : nodes) {
    ++calls[node.layer];
    for (const std::size_t value : node.inputs) ++readers[value], reader[value] = node.call;
  }
  std::vector<Node*> of_call(graph.calls.size());  // null for calls that are fused into another
  for (Node& node : nodes) of_call[node.call] = &node;
  for (Node& node : nodes) {
    for (bool changed = of_call[node.call]; changed;) {
      changed = false;
      if (calls[node.layer] > 1 || readers[node.output] != 1) break;
      Node* const next = of_call[reader[node.output]];
      if (!next || next->inputs[0] != node.output || calls[next->layer] > 1) break;
      for (const Rule& rule : kRules) {
        if ((rule.for_inference && !for_inference) || !rule.apply(node, *next)) continue;
        if (rule.keeps_next) break;
        node.output = next->output;
        of_call[next->call] = nullptr;
        changed = true;
        break;
      }
    }
  }
  std::erase_if(nodes, [&](const Node& node) { return !of_call[node.call]; });
}

void split(std::vector<Node>& nodes, std::size_t& values) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    Node& node = nodes[i];
    if (node.spec.kind == kActivation || !has_activation(node.spec) || activation_of(node.spec).is_linear())
      continue;
    Node after = node;
    after.spec = with_activation({kActivation, {}}, node.spec);
    after.label = label_of(after.spec);
    after.made = make_layer(after.spec, {node.made->output()});
    node.spec = without_activation(node.spec);
    node.label = label_of(node.spec);
    node.made = make_layer(node.spec, {node.made->input()});
    node.output = values++;
    after.inputs = {node.output};
    nodes.insert(nodes.begin() + offset(i) + 1, std::move(after));
    ++i;
  }
}

}  // namespace nncore

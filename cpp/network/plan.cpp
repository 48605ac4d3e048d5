#include "plan.hpp"

#include <algorithm>

#include "../layers/conv2d_pool.hpp"
#include "../runtime/memory.hpp"

namespace nncore {
namespace {

const char* const kActivation = "activation";

bool has_activation(const Spec& spec) { return spec.attributes.count(kActivation) > 0; }

Spec with_activation(Spec spec, const Spec& from) {
  spec.attributes[kActivation] = from.attributes.at(kActivation);
  for (const Setting& s : row_of(activation_of(from).kind).settings)
    if (s.name && from.attributes.count(s.name)) spec.attributes[s.name] = from.attributes.at(s.name);
  return spec;
}

Spec without_activation(Spec spec) {
  spec.attributes[kActivation] = std::string(row_of(Activation::linear).name);
  return spec;
}

bool is_linear(const Spec& spec) { return activation_of(spec).is_linear(); }

std::string label_of(const Spec& spec) {
  if (spec.kind == kActivation) return activation_of(spec).row().name;
  return has_activation(spec) && !is_linear(spec) ? spec.kind + "+" + activation_of(spec).row().name
                                                  : spec.kind;
}

}  // namespace

ActivationFunction last_activation(const std::vector<Spec>& specs) {
  return !specs.empty() && has_activation(specs.back()) ? activation_of(specs.back()) : ActivationFunction{};
}

void Plan::add(std::size_t number, std::unique_ptr<Layer> layer, std::string label) {
  steps_.push_back({std::move(layer), number, std::move(label)});
}

Plan::Plan(const Shape& input, const std::vector<Spec>& all_specs, bool fuse, bool detach_last)
    : input_(input) {
  std::vector<Spec> specs = all_specs;
  if (detach_last) specs.back() = without_activation(specs.back());

  // From the specs alone, so that it is the same for every plan.
  Shape shape = input;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const auto layer = make_layer(specs[i], shape);
    std::size_t at = parameter_floats_, index = 0;
    for (const Parameter& p : layer->parameters()) {
      const std::size_t size = checked_floats(1, size_of(p.shape));
      places_.push_back({i, index++, p, at});
      at = checked_floats(1, at + size);
    }
    parameter_floats_ = aligned(at);
    shape = layer->output();
  }

  for (std::size_t i = 0; i < specs.size();) {
    const Shape& x = output();
    Spec spec = specs[i];
    std::size_t used = 1;
    if (fuse && has_activation(spec) && spec.kind != kActivation && is_linear(spec) && i + 1 < specs.size() &&
        specs[i + 1].kind == kActivation) {
      spec = with_activation(spec, specs[i + 1]);
      used = 2;
    }
    if (fuse && spec.kind == "conv2d" && i + used < specs.size() && specs[i + used].kind == "max_pooling2d") {
      if (auto fused = fuse_conv2d_pool(spec, specs[i + used], x)) {
        add(i, std::move(fused), label_of(spec) + "+" + specs[i + used].kind);
        i += used + 1;
        continue;
      }
    }
    if (!fuse && has_activation(spec) && spec.kind != kActivation && !is_linear(spec)) {
      const Spec activation = with_activation({kActivation, {}}, spec);
      add(i, make_layer(without_activation(spec), x), spec.kind);
      add(i, make_layer(activation, output()), label_of(activation));
    } else {
      add(i, make_layer(spec, x), label_of(spec));
    }
    i += used;
  }
}

}  // namespace nncore

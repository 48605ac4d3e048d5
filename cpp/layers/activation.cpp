#include "activation.hpp"

namespace nncore {
namespace {

class ActivationLayer final : public Layer {
 public:
  ActivationLayer(const Spec& spec, const Shape& input)
      : Layer(input, input), function_(activation_of(spec)) {
    if (function_.row().over_rows && input.empty())
      spec.fail("expected samples with at least one axis for " + label_of(spec) + ", got shape ()");
    traits_.is_view = traits_.is_view_at_inference = function_.is_linear();
  }

  void forward(const Chunk& c) const override {
    function_.forward(c.kernels, c.y, c.x, c.samples * rows(), columns());
  }
  void save(const Chunk& c) const override {
    if (!reads_input()) forward(c);
  }
  void backward(const Chunk& c) const override {
    if (!c.dx) return;
    function_.backward(c.kernels, c.dx, c.dy, reads_input() ? c.x : c.y, c.samples * rows(), columns());
  }

 private:
  // A slope that can read input or output reads the input, so that `save` has nothing to do.
  bool reads_input() const { return function_.row().reads != Reads::output; }
  std::size_t columns() const { return input().empty() ? 1 : input().back(); }
  std::size_t rows() const { return columns() ? input_size() / columns() : 0; }

  ActivationFunction function_;
};

}  // namespace

ActivationFunction activation_of(const Spec& spec) {
  const std::string& name = spec.text("activation");
  const std::size_t row = row_named(kActivations, name);
  if (row == kActivations.size()) spec.fail("unknown activation '" + name + "'");
  return {static_cast<Activation>(row), spec.settings(kActivations[row].settings)};
}

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

std::string label_of(const Spec& spec) {
  if (!has_activation(spec)) return spec.kind;
  const ActivationFunction function = activation_of(spec);
  if (spec.kind == kActivation) return function.row().name;
  return function.is_linear() ? spec.kind : spec.kind + "+" + function.row().name;
}

std::unique_ptr<Layer> make_activation(const Spec& spec, const Shape& input) {
  return std::make_unique<ActivationLayer>(spec, input);
}

}  // namespace nncore

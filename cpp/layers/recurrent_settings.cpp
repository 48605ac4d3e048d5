#include "recurrent.hpp"

namespace nncore {
namespace {

ActivationFunction activation_named(const Spec& spec, const std::string& name) {
  return activation_of({spec.kind, {{kActivation, spec.text(name)}}});
}

float rate(const Spec& spec, const std::string& name) {
  const float rate = spec.single(name);
  if (!(rate >= 0.0f && rate < 1.0f)) spec.fail(name + " must be in [0, 1), got " + std::to_string(rate));
  return rate;
}

}  // namespace

RecurrentSettings recurrent_settings(Cell cell, const Spec& spec, const std::vector<Shape>& inputs) {
  const Shape& x = inputs[0];
  if (x.size() != 2) spec.fail("expected samples of shape (steps, features), got " + to_string(x));
  if (size_of(x) == 0) spec.fail("an axis of the input is empty: " + to_string(x));
  const auto has = [&](const char* name) { return spec.attributes.count(name) > 0 && spec.flag(name); };
  const RecurrentSettings s = {
      .cell = cell,
      .units = spec.positive("units"),
      .activation = activation_named(spec, "cell_activation"),
      .recurrent_activation =
          activation_named(spec, cell == Cell::simple_rnn ? "cell_activation" : "recurrent_activation"),
      .use_bias = spec.flag("use_bias"),
      .sequences = spec.flag("return_sequences"),
      .backwards = spec.flag("go_backwards"),
      .joined = has("is_joined"),
      .returns_state = has("return_state"),
      .dropout = rate(spec, "dropout"),
      .recurrent_dropout = rate(spec, "recurrent_dropout")};
  const Shape mask = {x[0]}, state = {states(s), s.units};
  for (std::size_t i = 1; i < inputs.size(); ++i)
    if (const bool again = i > 1 && inputs[i].size() == inputs[1].size();
        again || i > 2 || inputs[i] != (inputs[i].size() == 1 ? mask : state))
      spec.fail("expected a mask of shape " + to_string(mask) + " and a state of shape " + to_string(state) +
                ", each at most once, got " + to_string(inputs[i]));
  return s;
}

}  // namespace nncore

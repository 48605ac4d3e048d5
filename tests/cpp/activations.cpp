#include "harness.hpp"

namespace nncore::test {

void test_activations(Report& r, const std::vector<Golden>& cases) {
  for_each_golden(r, cases, "activation", kActivations, [&](const Golden& c, std::size_t row) {
    const ActivationKernels& f = r.k.activation[row];
    const Array &x = c.inputs.at("x"), &dy = c.inputs.at("dy");
    Array y(x.size()), dx(x.size()), xy = x;
    f.forward(y.data(), x.data(), c.settings.data(), c.rows, c.columns);
    r.compare(c.name, {c.rows, c.columns}, y, c.outputs.at("y"));
    if (kActivations[row].reads != Reads::input)
      for (std::size_t i = 0; i < x.size(); ++i) xy[i] = static_cast<float>(c.outputs.at("y")[i].value);
    f.backward(dx.data(), dy.data(), xy.data(), c.settings.data(), c.rows, c.columns);
    r.compare(c.name + "_backward", {c.rows, c.columns}, dx, c.outputs.at("dx"));
  });
}

}  // namespace nncore::test

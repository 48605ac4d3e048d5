#include <algorithm>
#include <set>

#include "harness.hpp"

namespace nncore::test {

void test_activations(Report& r, const std::vector<Golden>& cases) {
  std::set<std::string> tested;
  for (const Golden& c : cases) {
    if (c.family != "activation") continue;
    tested.insert(c.name);
    const auto row = std::ranges::find_if(kActivations, [&](const auto& a) { return c.name == a.name; });
    if (row == kActivations.end()) {
      r.check(false, c.name, {}, "is no row of the table");
      continue;
    }
    const ActivationKernels& f = r.k.activation[row - kActivations.begin()];
    const Array &x = c.inputs.at("x"), &dy = c.inputs.at("dy");
    Array y(x.size()), dx(x.size()), xy = x;
    f.forward(y.data(), x.data(), c.settings.data(), c.rows, c.columns);
    r.compare(c.name, {c.rows, c.columns}, y, c.outputs.at("y"), 1.0);
    if (row->reads != Reads::input)
      for (std::size_t i = 0; i < x.size(); ++i) xy[i] = static_cast<float>(c.outputs.at("y")[i].value);
    f.backward(dx.data(), dy.data(), xy.data(), c.settings.data(), c.rows, c.columns);
    r.compare(c.name + "_backward", {c.rows, c.columns}, dx, c.outputs.at("dx"), 1.0);
  }
  for (const ActivationRow& row : kActivations)
    r.check(tested.contains(row.name), row.name, {}, "has no golden case");
}

}  // namespace nncore::test

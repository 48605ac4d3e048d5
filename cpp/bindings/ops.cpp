#include "../engine/one_node.hpp"
#include "../engine/rows.hpp"
#include "../runtime/workspace.hpp"
#include "arrays.hpp"
#include "calls.hpp"

namespace nncore {
namespace {

// A new array that starts on a cache line, with slack behind it for kernels that read past its end.
Floats make_result(const Shape& shape) {
  // For larger arrays malloc may ask for fresh pages at each call.
  constexpr std::size_t kLarge = 32 * 1024;
  const std::size_t size = checked_floats(1, size_of(shape));
  const std::vector<py::ssize_t> sizes(shape.begin(), shape.end());
  if (size >= kLarge) {
    auto memory = std::make_unique<Workspace>(borrow_floats(size));
    const py::capsule owner(memory.get(), [](void* w) { delete static_cast<Workspace*>(w); });
    return Floats(sizes, memory.release()->get(), owner);
  }
  constexpr std::size_t kLine = kAlignment / sizeof(float);
  const Floats memory = make_floats({size + kSlack + kLine});
  const auto past = reinterpret_cast<std::uintptr_t>(memory.data()) / sizeof(float) % kLine;
  return Floats(sizes, memory.data() + (kLine - past) % kLine, memory);
}

// Arguments of forward and backward. x has leading axes that count samples, then `sample_axes` of a sample.
struct Arguments {
  Spec spec;
  Floats x;
  Shape leading;
  std::unique_ptr<Layer> layer;
  std::vector<const float*> parameters;

  Arguments(const py::tuple& spec_in, const Floats& x_in, const std::vector<Floats>& parameters_in,
            std::optional<py::ssize_t> sample_axes)
      : spec(spec_from(spec_in)), x(x_in) {
    const py::ssize_t axes = sample_axes.value_or(x.ndim() - 1);
    if (axes < 0 || axes > x.ndim())
      spec.fail("expected an array with " +
                (sample_axes ? std::to_string(axes) + " axes or more" : "an axis of samples") +
                ", got shape " + to_string(shape_of(x)));
    leading = shape_of(x);
    const Shape sample(leading.end() - axes, leading.end());
    leading.resize(leading.size() - sample.size());
    layer = make_layer(spec, {sample});
    const auto expected = layer->parameters();
    if (parameters_in.size() != expected.size())
      spec.fail("expected " + std::to_string(expected.size()) + " parameters, got " +
                std::to_string(parameters_in.size()));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (shape_of(parameters_in[i]) != expected[i].shape)
        spec.fail("expected a " + expected[i].name + " of shape " + to_string(expected[i].shape) + ", got " +
                  to_string(shape_of(parameters_in[i])));
      parameters.push_back(parameters_in[i].data());
    }
  }

  Shape output() const {
    Shape shape = leading;
    shape.insert(shape.end(), layer->output().begin(), layer->output().end());
    return shape;
  }
  // Calls f(network, call), unless there are no elements.
  template <class F>
  void run(bool goes_back, std::uint64_t seed, F f) const {
    const std::size_t samples = size_of(leading);
    if (samples * size_of(layer->input()) == 0) return;
    run_core([&] {
      OneNode node(spec, layer->input(), goes_back);
      f(*node, ArrayCall{parameters, x.data(), samples, seed});
    });
  }
};

Floats forward(const py::tuple& spec, const Floats& x, const std::vector<Floats>& parameters, bool training,
               std::uint64_t seed, std::optional<py::ssize_t> sample_axes) {
  const DefaultFloatMode mode;
  const Arguments a(spec, x, parameters, sample_axes);
  Floats y = make_result(a.output());
  float* const to = y.mutable_data();
  a.run(false, seed, [&](Network& n, const ArrayCall& call) { n.forward(call, to, training); });
  return y;
}

std::pair<Floats, std::vector<Floats>> backward(const py::tuple& spec, const Floats& dy, const Floats& x,
                                                const std::vector<Floats>& parameters, std::uint64_t seed,
                                                std::optional<py::ssize_t> sample_axes) {
  const DefaultFloatMode mode;
  const Arguments a(spec, x, parameters, sample_axes);
  if (shape_of(dy) != a.output())
    a.spec.fail("expected dy of shape " + to_string(a.output()) + ", got " + to_string(shape_of(dy)));
  Floats dx = make_result(shape_of(x));
  std::vector<Floats> gradients;
  std::vector<float*> to;
  for (const Parameter& p : a.layer->parameters()) {
    if (p.is_state) break;
    gradients.push_back(make_result(p.shape));
    to.push_back(gradients.back().mutable_data());
    if (x.size() == 0) std::fill_n(to.back(), size_of(p.shape), 0.0f);
  }
  const float* const slope = dy.data();
  float* const to_x = dx.mutable_data();
  a.run(true, seed, [&](Network& n, const ArrayCall& call) { n.backward(call, slope, to_x, to); });
  return {std::move(dx), std::move(gradients)};
}

// Outputs (..., columns), and a target of that shape, or of (...) with class numbers if it is sparse.
Rows rows_of(const Floats& target, const Floats& output, bool sparse) {
  const Shape shape = shape_of(output);
  if (shape.empty() || shape.back() == 0)
    throw std::invalid_argument("expected outputs of shape (..., columns), got " + to_string(shape));
  if (const Shape expected(shape.begin(), shape.end() - sparse); shape_of(target) != expected)
    throw std::invalid_argument("expected a target of shape " + to_string(expected) + ", got " +
                                to_string(shape_of(target)));
  const std::size_t columns = shape.back();
  return {target.data(), output.data(), size_of(shape) / columns, columns, sparse ? 1 : columns};
}

Shape leading_of(const Floats& output) {
  Shape shape = shape_of(output);
  shape.pop_back();
  return shape;
}

Floats metric(const py::tuple& spec, const Floats& target, const Floats& output) {
  const DefaultFloatMode mode;
  const MetricFunction f = metric_of(spec_from(spec));
  const Rows rows = rows_of(target, output, f.is_sparse());
  Floats values = make_result(leading_of(output));
  float* const value = values.mutable_data();
  run_core([&] { metric_rows(f, rows, value); });
  return values;
}

Floats loss_backward(const py::tuple& spec, const Floats& dy, const Floats& target, const Floats& output) {
  const DefaultFloatMode mode;
  const LossFunction f = loss_of(spec_from(spec));
  const Rows rows = rows_of(target, output, f.row().sparse);
  if (shape_of(dy) != leading_of(output))
    throw std::invalid_argument("expected a dy of shape " + to_string(leading_of(output)) + ", got " +
                                to_string(shape_of(dy)));
  Floats gradient = make_result(shape_of(output));
  float* const dx = gradient.mutable_data();
  const float* const scale = dy.data();
  run_core([&] { loss_gradient_rows(f, rows, scale, dx); });
  return gradient;
}

// Calls f(counter). Calls on one counter take turns, also in a Python without the GIL.
template <class F>
auto in_turn(const py::object& counter, F f) {
  const py::scoped_critical_section turn(counter);
  return f(counter.cast<Counter&>());
}

// weight: one for each output that counts.
void count(const py::object& self, const Floats& target, const Floats& output,
           const std::optional<Floats>& weight) {
  const Rows rows = rows_of(target, output, false);
  in_turn(self, [&](Counter& c) { c.fit(rows.columns); });
  const Counter& counter = self.cast<const Counter&>();
  const std::size_t codes = counter.codes(rows.columns), size = rows.rows * codes;
  if (weight && static_cast<std::size_t>(weight->size()) != size)
    throw std::invalid_argument("expected " + std::to_string(size) + " weights, got " +
                                std::to_string(weight->size()));
  const Workspace code = borrow_floats(size);
  run_core([&] { encode_rows(counter, rows, code.get()); });
  in_turn(self, [&](Counter& c) {
    c.add(code.get(), rows.rows, codes, weight ? weight->data() : nullptr, codes, 1);
  });
}

// values: the parameter, then its moments.
std::vector<Floats> update(const py::tuple& spec, std::uint64_t step, const Floats& gradient,
                           const std::vector<Floats>& values) {
  const DefaultFloatMode mode;
  Optimizer optimizer(spec_from(spec));
  if (values.size() != 1 + optimizer.moments().size())
    throw std::invalid_argument("expected a parameter and " + std::to_string(optimizer.moments().size()) +
                                " moments, got " + std::to_string(values.size()) + " arrays");
  if (step < 1) throw std::invalid_argument("step must be at least 1, got 0");
  const Shape shape = shape_of(gradient);
  std::vector<Floats> updated;
  std::vector<std::pair<float*, const float*>> arrays;
  for (const Floats& a : values) {
    if (shape_of(a) != shape)
      throw std::invalid_argument("expected a parameter and moments of the gradient's shape " +
                                  to_string(shape) + ", got " + to_string(shape_of(a)));
    updated.push_back(make_result(shape));
    arrays.emplace_back(updated.back().mutable_data(), a.data());
  }
  const float* const slope = gradient.data();
  run_core([&] { update_arrays(optimizer, step, slope, size_of(shape), arrays); });
  return updated;
}

}  // namespace

void bind_ops(py::module_& m) {
  m.def("forward", &forward, py::arg("spec"), py::arg("x"), py::arg("parameters"),
        py::arg("training") = false, py::arg("seed") = 0, py::arg("sample_axes") = py::none());
  m.def("backward", &backward, py::arg("spec"), py::arg("dy"), py::arg("x"), py::arg("parameters"),
        py::arg("seed") = 0, py::arg("sample_axes") = py::none());
  m.def("loss_backward", &loss_backward, py::arg("spec"), py::arg("dy"), py::arg("target"),
        py::arg("output"));
  m.def("metric", &metric, py::arg("spec"), py::arg("target"), py::arg("output"));
  py::class_<Counter>(m, "Counter")
      .def(py::init([](const py::tuple& spec) { return Counter(spec_from(spec)); }), py::arg("spec"))
      .def("count", &count, py::arg("target"), py::arg("output"), py::arg("weight").none(true))
      .def(
          "merge",
          [](const py::object& self, const Counter& other) {
            const Counter copy = other;
            in_turn(self, [&](Counter& c) { c.merge(copy); });
          },
          py::arg("other"))
      .def("reset", [](const py::object& self) { in_turn(self, [](Counter& c) { c.reset(); }); })
      .def_property_readonly(
          "totals",
          [](const py::object& self) { return in_turn(self, [](const Counter& c) { return c.totals(); }); })
      .def("result",
           [](const py::object& self) {
             return object_of(in_turn(self, [](const Counter& c) { return c.result(); }));
           })
      .def(py::pickle(
          [](const Counter& c) { return py::make_tuple(c.spec().kind, c.spec().attributes, c.totals()); },
          [](const py::tuple& state) {
            Counter c(spec_from(state[py::slice(0, 2, 1)]));
            c.set_totals(state[2].cast<std::vector<double>>());
            return c;
          }));
  m.def("update", &update, py::arg("spec"), py::arg("step"), py::arg("gradient"), py::arg("values"));
}

}  // namespace nncore

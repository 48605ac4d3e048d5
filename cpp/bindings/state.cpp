// Descriptions and state of networks. Methods that work on samples are in network.cpp.
#include "arrays.hpp"
#include "locked.hpp"

namespace nncore {
namespace {

// Combines Python's lists, which have one item for each output.
std::vector<Judged> judged_from(const py::sequence& losses, const py::sequence& weights,
                                const py::sequence& metrics, const py::sequence& weighted_metrics) {
  std::vector<Judged> judged;
  for (std::size_t i = 0; i < losses.size(); ++i)
    judged.push_back({optional_spec_from(losses[i]), weights[i].cast<double>(), specs_from(metrics[i]),
                      specs_from(weighted_metrics[i])});
  return judged;
}

// From Python's items (layer, parameter, spec).
std::vector<WeightRule> rules_from(const py::iterable& items) {
  std::vector<WeightRule> rules;
  for (const py::handle item : items)
    rules.push_back({item[py::int_(0)].cast<std::size_t>(), item[py::int_(1)].cast<std::size_t>(),
                     spec_from(item[py::int_(2)])});
  return rules;
}

void bind_variables(py::module_& m) {
  const auto check = [](const Variables& v, std::size_t first, std::size_t count) {
    if (first > v.list().size() || count > v.list().size() - first)
      throw std::invalid_argument("expected variables among " + std::to_string(v.list().size()) + ", got " +
                                  std::to_string(count) + " from number " + std::to_string(first));
  };
  py::class_<Variables, std::shared_ptr<Variables>>(m, "Variables")
      .def(py::init([](const py::tuple& spec, const py::sequence& input_shapes) {
             return std::make_shared<Variables>(
                 make_layer(spec_from(spec), shapes_from(input_shapes))->parameters());
           }),
           py::arg("spec"), py::arg("input_shapes"))
      .def_property_readonly("shapes",
                             [](const Variables& v) {
                               std::vector<std::pair<std::string, py::tuple>> shapes;
                               for (const Parameter& p : v.list())
                                 shapes.emplace_back(p.name, tuple_of(p.shape));
                               return shapes;
                             })
      .def(
          "read",
          [check](const Variables& v, std::size_t first, std::size_t count) {
            check(v, first, count);
            std::vector<Floats> values;
            std::vector<float*> to;
            for (std::size_t i = first; i < first + count; ++i) {
              values.push_back(make_floats(v.list()[i].shape));
              to.push_back(values.back().mutable_data());
            }
            looking(v, [&] {
              for (std::size_t i = 0; i < count; ++i) v.get(first + i, to[i]);
            });
            return values;
          },
          py::arg("first"), py::arg("count"))
      .def(
          "write",
          [check](Variables& v, std::size_t first, const std::vector<Floats>& values) {
            check(v, first, values.size());
            std::vector<const float*> from;
            for (const Floats& array : values) {
              const Shape& shape = v.list()[first + from.size()].shape;
              if (shape_of(array) != shape)
                throw std::invalid_argument("expected an array of shape " + to_string(shape) + ", got " +
                                            to_string(shape_of(array)));
              from.push_back(array.data());
            }
            writing(v, [&] {
              for (std::size_t i = 0; i < from.size(); ++i) v.set(first + i, from[i]);
            });
          },
          py::arg("first"), py::arg("values"));
}

}  // namespace

void bind_network(py::module_& m) {
  bind_variables(m);
  py::class_<Sums>(m, "Sums").def(py::init<>());
  py::class_<Network> network(m, "Network");
  network
      .def(py::init([](const py::sequence& input_shapes, const py::sequence& layers,
                       const std::vector<std::pair<std::size_t, std::vector<std::size_t>>>& calls,
                       const std::vector<std::size_t>& outputs, bool fuse,
                       const std::vector<std::shared_ptr<Variables>>& variables,
                       const py::iterable& penalized, const std::vector<std::optional<std::size_t>>& masks) {
             Graph graph{shapes_from(input_shapes, true), specs_from(layers), {}, outputs};
             for (const py::handle item : penalized)
               graph.penalized.push_back(
                   {item[py::int_(0)].cast<std::size_t>(), spec_from(item[py::int_(1)])});
             for (const auto& mask : masks) graph.masks.push_back(mask.value_or(kNoMask));
             for (const auto& [layer, inputs] : calls) graph.calls.push_back({layer, inputs});
             return run_core([&] { return std::make_unique<Network>(graph, fuse, variables); });
           }),
           py::arg("input_shapes"), py::arg("layers"), py::arg("calls"), py::arg("outputs"),
           py::arg("fuse") = true, py::arg("variables") = std::vector<std::shared_ptr<Variables>>(),
           py::arg("penalized") = py::tuple(), py::arg("masks") = std::vector<std::optional<std::size_t>>())
      .def(
          "output_shapes",
          [](Network& n, const py::sequence& input_shapes) {
            const std::vector<Shape> inputs = shapes_from(input_shapes);
            std::vector<py::tuple> shapes;
            for (const Shape& shape : reading(n, [&] { return n.output_shapes(inputs); }))
              shapes.push_back(tuple_of(shape));
            return shapes;
          },
          py::arg("input_shapes"))
      .def_property_readonly(
          "layout",
          [](const Network& n) {
            std::vector<std::tuple<std::size_t, std::string, std::size_t, py::tuple>> layout;
            for (const FlatParameter& p : n.weights().flat_parameters())
              layout.emplace_back(p.layer, n.weights().parameter(p).name, p.offset,
                                  tuple_of(n.weights().parameter(p).shape));
            return layout;
          })
      .def(
          "steps",
          [](const Network& n, bool inference) {
            return looking(n, [&] { return n.step_labels(inference); });
          },
          py::arg("inference") = false)
      .def_property_readonly("buffers",
                             [](const Network& n) { return looking(n, [&] { return n.buffer_names(); }); })
      .def(
          "read",
          [](const Network& n, const std::string& name) {
            Floats values = make_floats({n.weights().flat_size()});
            float* to = values.mutable_data();
            looking(n, [&] { n.read(name, to); });
            return values;
          },
          py::arg("buffer"))
      .def(
          "write",
          [](Network& n, const std::string& name, const Floats& values) {
            if (shape_of(values) != Shape{n.weights().flat_size()})
              throw std::invalid_argument("expected " + std::to_string(n.weights().flat_size()) +
                                          " values, got " + to_string(shape_of(values)));
            const float* from = values.data();
            writing(n, [&] { n.write(name, from); });
          },
          py::arg("buffer"), py::arg("values"))
      .def(
          "compile",
          [](Network& n, const py::sequence& losses, const py::sequence& loss_weights,
             const py::sequence& metrics, const py::sequence& weighted_metrics, const py::object& optimizer,
             const std::vector<bool>& trainable, const py::iterable& regularizers,
             const py::iterable& constraints, const py::dict& rules, const std::vector<bool>& decays) {
            const Spec own = spec_from(py::make_tuple("optimizer", rules));
            const auto o = optional_spec_from(optimizer);
            const std::vector<Judged> judged = judged_from(losses, loss_weights, metrics, weighted_metrics);
            const auto r = rules_from(regularizers), c = rules_from(constraints);
            writing(n, [&] { n.compile(judged, o, trainable, r, c, own, decays); });
          },
          py::arg("losses"), py::arg("loss_weights"), py::arg("metrics"), py::arg("weighted_metrics"),
          py::arg("optimizer"), py::arg("trainable"), py::arg("regularizers") = py::tuple(),
          py::arg("constraints") = py::tuple(), py::arg("rules") = py::dict(),
          py::arg("decays") = std::vector<bool>())
      .def(
          "freeze",
          [](Network& n, const std::vector<bool>& trainable) { writing(n, [&] { n.freeze(trainable); }); },
          py::arg("trainable"))
      .def(
          "apply",
          [](Network& n, const Floats& gradients) {
            if (shape_of(gradients) != Shape{n.weights().flat_size()})
              throw std::invalid_argument("expected " + std::to_string(n.weights().flat_size()) +
                                          " values, got " + to_string(shape_of(gradients)));
            const float* from = gradients.data();
            writing(n, [&] { n.apply(from); });
          },
          py::arg("gradients"))
      .def("take_averages", [](Network& n) { writing(n, [&] { n.take_averages(); }); })
      .def_property(
          "seed", [](const Network& n) { return looking(n, [&] { return n.seed; }); },
          [](Network& n, std::uint64_t v) { writing(n, [&] { n.seed = v; }); })
      .def_property(
          "iterations", [](const Network& n) { return looking(n, [&] { return n.iterations; }); },
          [](Network& n, std::uint64_t v) { writing(n, [&] { n.iterations = v; }); })
      .def_property(
          "learning_rate", [](const Network& n) { return looking(n, [&] { return n.learning_rate(); }); },
          [](Network& n, float v) { looking(n, [&] { n.set_learning_rate(v); }); })
      .def(
          "results",
          [](const Network& n, const Sums& sums) {
            py::list results;
            for (const Value& value : looking(n, [&] { return sums.results(); }))
              results.append(object_of(value));
            return results;
          },
          py::arg("sums"))
      .def(
          "reset", [](const Network& n, Sums& sums) { looking(n, [&] { n.reset(sums); }); }, py::arg("sums"))
      .def(
          "totals",
          [](const Network& n, const Sums& sums) { return looking(n, [&] { return sums.totals(); }); },
          py::arg("sums"))
      .def(
          "set_totals",
          [](const Network& n, Sums& sums,
             const std::vector<double>& totals) { looking(n, [&] { sums.set_totals(totals); }); },
          py::arg("sums"), py::arg("totals"))
      .def("state", [](const Network& n) {
        // Arrays need the GIL, so they are made before the network is locked to read all of them at once, and
        // again if another thread has compiled the network in between.
        while (true) {
          std::vector<std::pair<std::string, Floats>> buffers;
          std::vector<float*> to;
          const auto names = looking(n, [&] { return n.buffer_names(); });
          for (const std::string& name : names) {
            if (name == "gradients") continue;
            buffers.emplace_back(name, make_floats({n.weights().flat_size()}));
            to.push_back(buffers.back().second.mutable_data());
          }
          const auto iterations = looking(n, [&]() -> std::optional<std::uint64_t> {
            if (n.buffer_names() != names) return std::nullopt;
            for (std::size_t i = 0; i < buffers.size(); ++i) n.read(buffers[i].first, to[i]);
            return n.iterations;
          });
          if (iterations) return std::pair(std::move(buffers), *iterations);
        }
      });
  bind_passes(m, network);
}

}  // namespace nncore

#include "../network/network.hpp"

#include "arrays.hpp"
#include "calls.hpp"

namespace nncore {
namespace {

using Order = py::array_t<std::int64_t, kPlain>;
using Weights = py::array_t<float, kPlain>;

Store& store_of(const Network& network) { return network.store(); }
Store& store_of(const Variables& variables) { return *variables.store(); }

// f() in the core, with what `held` holds locked. The GIL is released before the lock is taken, so that no
// thread waits for the lock with the GIL in its hands.
template <class Holder, class F>
auto locked(const Holder& held, Use use, F f) {
  return run_core([&] {
    const StoreLock lock(store_of(held), use);
    return f();
  });
}
template <class Holder, class F>
auto reading(const Holder& held, F f) {
  return locked(held, Use::read, f);
}
template <class Holder, class F>
auto writing(const Holder& held, F f) {
  return locked(held, Use::write, f);
}
template <class Holder, class F>
auto looking(const Holder& held, F f) {
  return locked(held, Use::look, f);
}

// Samples that are read at a time where the user's batches do not matter.
constexpr std::size_t kInferenceBatch = 1024;
// Seconds that Ctrl-C waits, as SLICE of _feeds.py.
constexpr double kSlice = 0.1;

// Thrown by `forward` before it starts, so that callers know it from what a signal's handler raises.
struct RefusedArray : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// What a call works on. Holds the arrays for as long as their memory is read.
struct Arrays {
  py::array x_array;
  std::optional<py::array> y_array;
  std::optional<Weights> weights;
  std::optional<Order> order;
  Source x;
  std::optional<Source> y;

  Arrays(const Network& network, const py::array& x_in, const std::optional<py::array>& y_in,
         const std::optional<Weights>& w, const std::optional<Order>& o)
      : x_array(x_in), y_array(y_in), weights(w), order(o), x(source_of(x_array)) {
    if (x.row_shape() != network.input())
      throw std::invalid_argument("expected samples of shape " + to_string(network.input()) + ", got " +
                                  to_string(x.row_shape()));
    if (y_array) y = source_of(*y_array);
    if (weights && shape_of(*weights) != Shape{x.rows()})
      throw std::invalid_argument("expected one sample weight for each of the " + std::to_string(x.rows()) +
                                  " samples, got an array of shape " + to_string(shape_of(*weights)));
    if (order && order->ndim() != 1) throw std::invalid_argument("order must have one axis");
  }

  Samples samples(std::size_t start, std::size_t stop, std::size_t batch_size) const {
    const std::size_t positions = order ? static_cast<std::size_t>(order->size()) : x.rows();
    if (start > stop || stop > positions)
      throw std::invalid_argument("start and stop must lie in 0 to " + std::to_string(positions) +
                                  ", in order");
    if (batch_size < 1) throw std::invalid_argument("batch_size must be at least 1");
    return {
        &x,   y ? &*y : nullptr, weights ? weights->data() : nullptr, order ? order->data() : nullptr, start,
        stop, batch_size};
  }
};

void bind_variables(py::module_& m) {
  const auto check = [](const Variables& v, std::size_t first, std::size_t count) {
    if (first > v.list().size() || count > v.list().size() - first)
      throw std::invalid_argument("there are " + std::to_string(v.list().size()) + " variables");
  };
  py::class_<Variables, std::shared_ptr<Variables>>(m, "Variables")
      .def(py::init([](const py::tuple& spec, const py::tuple& input_shape) {
             return std::make_shared<Variables>(
                 make_layer(spec_from(spec), shape_from(input_shape))->parameters());
           }),
           py::arg("spec"), py::arg("input_shape"))
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
  py::register_exception<RefusedArray>(m, "RefusedArray", PyExc_ValueError);
  py::class_<Network>(m, "Network")
      .def(py::init([](const py::tuple& input_shape, const py::sequence& layers, bool fuse,
                       const std::vector<std::shared_ptr<Variables>>& variables) {
             const Shape input = shape_from(input_shape);
             const std::vector<Spec> specs = specs_from(layers);
             return run_core([&] { return std::make_unique<Network>(input, specs, fuse, variables); });
           }),
           py::arg("input_shape"), py::arg("layers"), py::arg("fuse") = true,
           py::arg("variables") = std::vector<std::shared_ptr<Variables>>())
      .def_property_readonly("output_shape", [](const Network& n) { return tuple_of(n.output()); })
      .def_property_readonly(
          "layout",
          [](const Network& n) {
            const std::vector<Place> places = looking(n, [&] { return n.places(); });
            std::vector<std::tuple<std::size_t, std::string, std::size_t, py::tuple>> layout;
            for (const Place& p : places)
              layout.emplace_back(p.layer, p.parameter.name, p.offset, tuple_of(p.parameter.shape));
            return layout;
          })
      .def_property_readonly("steps",
                             [](const Network& n) { return looking(n, [&] { return n.step_labels(); }); })
      .def_property_readonly("buffers",
                             [](const Network& n) { return looking(n, [&] { return n.buffer_names(); }); })
      .def(
          "read",
          [](const Network& n, const std::string& name) {
            Floats values = make_floats({n.flat_size()});
            float* to = values.mutable_data();
            looking(n, [&] { n.read(name, to); });
            return values;
          },
          py::arg("buffer"))
      .def(
          "write",
          [](Network& n, const std::string& name, const Floats& values) {
            if (shape_of(values) != Shape{n.flat_size()})
              throw std::invalid_argument("expected " + std::to_string(n.flat_size()) + " values, got " +
                                          to_string(shape_of(values)));
            const float* from = values.data();
            writing(n, [&] { n.write(name, from); });
          },
          py::arg("buffer"), py::arg("values"))
      .def(
          "compile",
          [](Network& n, const py::object& loss, const py::iterable& metrics,
             const py::iterable& weighted_metrics, const py::object& optimizer,
             const std::vector<bool>& trainable) {
            const auto l = optional_spec_from(loss), o = optional_spec_from(optimizer);
            const auto plain = specs_from(metrics), weighted = specs_from(weighted_metrics);
            writing(n, [&] { n.compile(l, plain, weighted, o, trainable); });
          },
          py::arg("loss"), py::arg("metrics"), py::arg("weighted_metrics"), py::arg("optimizer"),
          py::arg("trainable"))
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
          "check",
          [](const Network& n, const py::array& x, const std::optional<py::array>& y) {
            const Arrays a(n, x, y, std::nullopt, std::nullopt);
            reading(n, [&] { n.check(a.x, a.y ? &*a.y : nullptr); });
          },
          py::arg("x"), py::arg("y").none(true))
      .def(
          "train",
          [](Network& n, const py::array& x, const py::array& y, const std::optional<Weights>& sample_weight,
             const std::optional<Order>& order, std::size_t start, std::size_t stop, std::size_t batch_size,
             double seconds, Sums& sums) {
            const Arrays a(n, x, y, sample_weight, order);
            const Samples samples = a.samples(start, stop, batch_size);
            return writing(n, [&] {
              n.check_targets(*a.y, a.x.rows());
              return n.train(samples, seconds, sums);
            });
          },
          py::arg("x"), py::arg("y"), py::arg("sample_weight").none(true), py::arg("order").none(true),
          py::arg("start"), py::arg("stop"), py::arg("batch_size"), py::arg("seconds"), py::arg("sums"))
      .def(
          "test",
          [](Network& n, const py::array& x, const py::array& y, const std::optional<Weights>& sample_weight,
             std::size_t start, std::size_t stop, std::size_t batch_size, double seconds, Sums& sums) {
            const Arrays a(n, x, y, sample_weight, std::nullopt);
            const Samples samples = a.samples(start, stop, batch_size);
            return reading(n, [&] {
              n.check_targets(*a.y, a.x.rows());
              return n.test(samples, seconds, sums);
            });
          },
          py::arg("x"), py::arg("y"), py::arg("sample_weight").none(true), py::arg("start"), py::arg("stop"),
          py::arg("batch_size"), py::arg("seconds"), py::arg("sums"))
      .def(
          "predict",
          [](Network& n, const py::array& x, Floats& out, std::size_t start, std::size_t stop,
             double seconds) {
            const Arrays a(n, x, std::nullopt, std::nullopt, std::nullopt);
            const Samples samples = a.samples(start, stop, kInferenceBatch);
            if (shape_of(out) != with_rows(a.x.rows(), n.output()))
              throw std::invalid_argument("expected an out of shape " +
                                          to_string(with_rows(a.x.rows(), n.output())) + ", got " +
                                          to_string(shape_of(out)));
            float* to = out.mutable_data();
            return reading(n, [&] { return n.predict(to, samples, seconds); });
          },
          py::arg("x"), py::arg("out").noconvert(), py::arg("start"), py::arg("stop"), py::arg("seconds"))
      .def(
          "gradients",
          [](Network& n, const py::array& x, const py::array& y,
             const std::optional<Weights>& sample_weight) {
            const Arrays a(n, x, y, sample_weight, std::nullopt);
            if (a.x.rows() == 0) throw std::invalid_argument("expected at least one sample");
            const Samples samples = a.samples(0, a.x.rows(), a.x.rows());
            return reading(n, [&] {
              n.check_targets(*a.y, a.x.rows());
              return n.gradients(samples);
            });
          },
          py::arg("x"), py::arg("y"), py::arg("sample_weight").none(true))
      .def(
          "forward",
          [](Network& n, const py::array& x, bool training) {
            const Arrays a = [&] {
              try {
                return Arrays(n, x, std::nullopt, std::nullopt, std::nullopt);
              } catch (const std::invalid_argument& error) {
                throw RefusedArray(error.what());
              }
            }();
            const std::size_t rows = a.x.rows();
            Floats out = make_floats(with_rows(rows, n.output()));
            float* to = out.mutable_data();
            if (training && rows > 0)
              reading(n, [&] { n.forward(to, a.samples(0, rows, rows)); });
            else
              for (std::size_t at = 0; at < rows;) {
                at = reading(n, [&] { return n.predict(to, a.samples(at, rows, kInferenceBatch), kSlice); });
                if (PyErr_CheckSignals() != 0) throw py::error_already_set();
              }
            return out;
          },
          py::arg("x"), py::arg("training"))
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
          "reset", [](const Network& n, Sums& sums) { looking(n, [&] { sums.reset(); }); }, py::arg("sums"))
      .def("state", [](const Network& n) {
        // Arrays need the GIL, so they are made before the network is locked for all of them at once.
        std::vector<std::pair<std::string, Floats>> buffers;
        std::vector<float*> to;
        for (const std::string& name : looking(n, [&] { return n.buffer_names(); })) {
          if (name == "gradients") continue;
          buffers.emplace_back(name, make_floats({n.flat_size()}));
          to.push_back(buffers.back().second.mutable_data());
        }
        const std::uint64_t iterations = looking(n, [&] {
          for (std::size_t i = 0; i < buffers.size(); ++i) n.read(buffers[i].first, to[i]);
          return n.iterations;
        });
        return std::pair(std::move(buffers), iterations);
      });
}

}  // namespace nncore

#include "arrays.hpp"
#include "locked.hpp"

namespace nncore {
namespace {

using Order = py::array_t<std::int64_t, kPlain>;
using SampleWeights = py::array_t<float, kPlain>;

// Samples read at a time if the user's batches do not matter.
constexpr std::size_t kInferenceBatch = 1024;
// The longest delay of Ctrl-C in seconds, as SLICE of _feeds.py.
constexpr double kSlice = 0.1;

// Thrown by `forward` before it starts, so that callers can tell it from an exception of a signal handler.
struct RefusedArray : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// Reads one array, or a tuple with one for each input or output.
std::vector<py::array> arrays_from(const py::object& given) {
  if (!PyTuple_Check(given.ptr())) return {given.cast<py::array>()};
  std::vector<py::array> arrays;
  for (const py::handle item : given) arrays.push_back(item.cast<py::array>());
  return arrays;
}

// The arrays of a call. Owns them for as long as their memory is read.
struct Arrays {
  std::vector<py::array> x_arrays, y_arrays;
  std::vector<SampleWeights> weight_arrays;
  std::optional<Order> order;
  std::vector<Source> x, y;
  std::vector<const float*> weights;  // one for each output, or empty

  Arrays(const Network& network, const py::object& x_in, const py::object& y_in = py::none(),
         const py::object& weights_in = py::none(), const std::optional<Order>& o = std::nullopt)
      : x_arrays(arrays_from(x_in)), order(o) {
    const Graph& graph = network.graph();
    expect(x_arrays.size(), graph.inputs.size(), "inputs");
    for (std::size_t i = 0; i < x_arrays.size(); ++i) {
      x.push_back(source_of(x_arrays[i]));
      graph.check_input(i, x[i].row_shape());
      if (x[i].rows() != x[0].rows())
        throw std::invalid_argument("all inputs must have the same number of samples, got " +
                                    std::to_string(x[0].rows()) + " and " + std::to_string(x[i].rows()));
    }
    if (!y_in.is_none()) {
      y_arrays = arrays_from(y_in);
      expect(y_arrays.size(), graph.outputs.size(), "targets");
      for (const py::array& array : y_arrays) y.push_back(source_of(array));
    }
    if (!weights_in.is_none()) {
      const py::tuple each =
          PyTuple_Check(weights_in.ptr()) ? py::tuple(weights_in) : py::make_tuple(weights_in);
      expect(each.size(), graph.outputs.size(), "weights");
      for (const py::handle item : each) {
        if (item.is_none()) {
          weights.push_back(nullptr);
          continue;
        }
        weight_arrays.push_back(item.cast<SampleWeights>());
        if (shape_of(weight_arrays.back()) != Shape{x[0].rows()})
          throw std::invalid_argument("expected one sample weight for each of the " +
                                      std::to_string(x[0].rows()) + " samples, got an array of shape " +
                                      to_string(shape_of(weight_arrays.back())));
        weights.push_back(weight_arrays.back().data());
      }
    }
    if (order && order->ndim() != 1)
      throw std::invalid_argument("order must have one axis, got " + std::to_string(order->ndim()));
  }

  std::size_t rows() const { return x[0].rows(); }
  Samples samples(std::size_t start, std::size_t stop, std::size_t batch_size) const {
    const std::size_t positions = order ? static_cast<std::size_t>(order->size()) : rows();
    if (start > stop || stop > positions)
      throw std::invalid_argument("expected 0 <= start <= stop <= " + std::to_string(positions) +
                                  ", got start " + std::to_string(start) + " and stop " +
                                  std::to_string(stop));
    if (batch_size < 1) throw std::invalid_argument("batch_size must be at least 1, got 0");
    return {.x = x.data(),
            .y = y.empty() ? nullptr : y.data(),
            .weight = weights.empty() ? nullptr : weights.data(),
            .order = order ? order->data() : nullptr,
            .start = start,
            .stop = stop,
            .batch_size = batch_size};
  }

 private:
  static void expect(std::size_t given, std::size_t expected, const char* what) {
    if (given != expected)
      throw std::invalid_argument("expected " + std::to_string(expected) + " " + what + ", got " +
                                  std::to_string(given));
  }
};

// Arrays for the outputs of `rows` samples.
struct Outputs {
  std::vector<Floats> arrays;
  std::vector<float*> to;

  // given: the arrays, or None for new ones.
  Outputs(Network& n, const Arrays& a, const py::object& given) : Outputs(n, a, given, a.rows()) {}
  Outputs(Network& n, const Arrays& a, const py::object& given, std::size_t rows) {
    const std::vector<Shape>& shapes = n.output_shapes().empty() ? shapes_for(n, a) : n.output_shapes();
    if (given.is_none())
      for (const Shape& shape : shapes) arrays.push_back(make_floats(with_rows(rows, shape)));
    else
      for (const py::array& array : arrays_from(given)) {
        if (!Floats::check_(array) || arrays.size() == shapes.size() ||
            shape_of(array) != with_rows(rows, shapes[arrays.size()]))
          throw std::invalid_argument("expected float32 arrays for " + std::to_string(rows) +
                                      " outputs, got one of shape " + to_string(shape_of(array)));
        arrays.push_back(py::reinterpret_borrow<Floats>(array));
      }
    for (Floats& array : arrays) to.push_back(array.mutable_data());
  }
  py::object result() const {
    if (arrays.size() == 1) return arrays[0];
    py::tuple all(arrays.size());
    for (std::size_t i = 0; i < arrays.size(); ++i) all[i] = arrays[i];
    return all;
  }

 private:
  const std::vector<Shape>& shapes_for(Network& n, const Arrays& a) {
    std::vector<Shape> inputs;
    for (const Source& x : a.x) inputs.push_back(x.row_shape());
    found_ = reading(n, [&] { return n.output_shapes(inputs); });
    return found_;
  }

  std::vector<Shape> found_;  // if sizes are open
};

// Arrays that also receive the outputs of one batch, unless `given` is None.
struct OutputsToo {
  std::optional<Outputs> outputs;

  OutputsToo(Network& n, const Arrays& a, const py::object& given, Samples& samples) {
    if (given.is_none()) return;
    if (samples.stop - samples.start > samples.batch_size)
      throw std::invalid_argument("out is for one batch, got several");
    samples.out = outputs.emplace(n, a, given, samples.stop - samples.start).to.data();
  }
};

}  // namespace

void bind_passes(py::module_& m, py::class_<Network>& network) {
  py::register_exception<RefusedArray>(m, "RefusedArray", PyExc_ValueError);
  network
      .def(
          "check",
          [](Network& n, const py::object& x, const py::object& y) {
            const Arrays a(n, x, y);
            reading(n, [&] { n.check(a.x.data(), a.y.empty() ? nullptr : a.y.data()); });
          },
          py::arg("x"), py::arg("y").none(true))
      .def(
          "train",
          [](Network& n, const py::object& x, const py::object& y, const py::object& sample_weight,
             const std::optional<Order>& order, std::size_t start, std::size_t stop, std::size_t batch_size,
             double seconds, Sums& sums, const std::optional<SampleWeights>& rates, bool only_finite,
             const py::object& out) {
            const Arrays a(n, x, y, sample_weight, order);
            Samples samples = a.samples(start, stop, batch_size);
            samples.only_finite = only_finite;
            if (rates) {
              if (static_cast<std::size_t>(rates->size()) < (stop - start + batch_size - 1) / batch_size)
                throw std::invalid_argument("expected a learning rate for each step");
              samples.rates = rates->data();
            }
            const OutputsToo outputs(n, a, out, samples);
            return writing(n, [&] { return n.train(samples, seconds, sums); });
          },
          py::arg("x"), py::arg("y"), py::arg("sample_weight").none(true), py::arg("order").none(true),
          py::arg("start"), py::arg("stop"), py::arg("batch_size"), py::arg("seconds"), py::arg("sums"),
          py::arg("rates") = py::none(), py::arg("only_finite") = false, py::arg("out") = py::none())
      .def(
          "test",
          [](Network& n, const py::object& x, const py::object& y, const py::object& sample_weight,
             std::size_t start, std::size_t stop, std::size_t batch_size, double seconds, Sums& sums,
             const py::object& out) {
            const Arrays a(n, x, y, sample_weight);
            Samples samples = a.samples(start, stop, batch_size);
            const OutputsToo outputs(n, a, out, samples);
            return reading(n, [&] { return n.test(samples, seconds, sums); });
          },
          py::arg("x"), py::arg("y"), py::arg("sample_weight").none(true), py::arg("start"), py::arg("stop"),
          py::arg("batch_size"), py::arg("seconds"), py::arg("sums"), py::arg("out") = py::none())
      .def(
          "predict",
          [](Network& n, const py::object& x, const py::object& out, std::size_t start, std::size_t stop,
             double seconds) {
            const Arrays a(n, x);
            const Samples samples = a.samples(start, stop, kInferenceBatch);
            const Outputs outputs(n, a, out);
            return reading(n, [&] { return n.predict(outputs.to.data(), samples, seconds); });
          },
          py::arg("x"), py::arg("out"), py::arg("start"), py::arg("stop"), py::arg("seconds"))
      .def(
          "gradients",
          [](Network& n, const py::object& x, const py::object& y, const py::object& sample_weight,
             const std::optional<Order>& order, std::size_t start, std::optional<std::size_t> stop,
             Sums* sums, const py::object& out) {
            const Arrays a(n, x, y, sample_weight, order);
            const std::size_t end = stop.value_or(a.rows());
            if (start >= end)
              throw std::invalid_argument("expected at least one sample, got start " + std::to_string(start) +
                                          " and stop " + std::to_string(end));
            Samples samples = a.samples(start, end, end - start);
            const OutputsToo outputs(n, a, out, samples);
            return reading(n, [&] { return n.gradients(samples, sums); });
          },
          py::arg("x"), py::arg("y"), py::arg("sample_weight").none(true), py::arg("order") = py::none(),
          py::arg("start") = 0, py::arg("stop") = py::none(), py::arg("sums") = py::none(),
          py::arg("out") = py::none())
      .def(
          "forward",
          [](Network& n, const py::object& x, bool training) {
            const Arrays a = [&] {
              try {
                return Arrays(n, x);
              } catch (const std::invalid_argument& error) {
                throw RefusedArray(error.what());
              }
            }();
            const std::size_t rows = a.rows();
            const Outputs out(n, a, py::none());
            if (training && rows > 0)
              writing(n, [&] { n.forward(out.to.data(), a.samples(0, rows, rows)); });
            else
              for (std::size_t at = 0; at < rows;) {
                at = reading(n, [&] {
                  return n.predict(out.to.data(), a.samples(at, rows, kInferenceBatch), kSlice);
                });
                if (PyErr_CheckSignals() != 0) throw py::error_already_set();
              }
            return out.result();
          },
          py::arg("x"), py::arg("training"));
}

}  // namespace nncore

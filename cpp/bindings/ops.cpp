#include <cstring>

#include "../kernels/dispatch.hpp"
#include "../network/network.hpp"
#include "arrays.hpp"

namespace nncore {
namespace {

// A network of one layer with the given parameters.
std::unique_ptr<Network> single(const py::tuple& spec, const Floats& x, const std::vector<Floats>& parameters,
                                std::uint64_t seed) {
  if (x.ndim() < 1) throw std::invalid_argument("expected an array with an axis of samples, got a scalar");
  auto network = std::make_unique<Network>(shape_of(x, 1), std::vector{spec_from(spec)}, true);
  network->seed = seed;
  const auto& places = network->places();
  if (places.size() != parameters.size())
    throw std::invalid_argument("expected " + std::to_string(places.size()) + " parameters, got " +
                                std::to_string(parameters.size()));
  Buffer flat(network->buffer_size());
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (shape_of(parameters[i]) != places[i].parameter.shape)
      throw std::invalid_argument("expected a " + places[i].parameter.name + " of shape " +
                                  to_string(places[i].parameter.shape) + ", got " +
                                  to_string(shape_of(parameters[i])));
    std::copy_n(parameters[i].data(), parameters[i].size(), flat.data() + places[i].offset);
  }
  network->write("parameters", flat.data());
  return network;
}

Samples all_rows(const Source& x) {
  Samples samples;
  samples.x = &x;
  samples.stop = samples.batch_size = x.rows();
  return samples;
}

Floats forward(const py::tuple& spec, const Floats& x, const std::vector<Floats>& parameters, bool training,
               std::uint64_t seed) {
  const auto network = single(spec, x, parameters, seed);
  const Source source = source_of(x);
  Floats y = make_floats(with_rows(source.rows(), network->output()));
  float* out = y.mutable_data();
  const py::gil_scoped_release unlocked;
  network->forward(out, all_rows(source), training);
  return y;
}

std::pair<Floats, std::vector<Floats>> backward(const py::tuple& spec, const Floats& dy, const Floats& x,
                                                const std::vector<Floats>& parameters, bool training,
                                                std::uint64_t seed) {
  if (!training && spec_from(spec).kind == "dropout")
    throw std::invalid_argument("[dropout] has a gradient in training only");
  const auto network = single(spec, x, parameters, seed);
  const Source source = source_of(x);
  if (shape_of(dy) != with_rows(source.rows(), network->output()))
    throw std::invalid_argument("expected a dy of shape " +
                                to_string(with_rows(source.rows(), network->output())) + ", got " +
                                to_string(shape_of(dy)));
  if (source.rows() == 0) throw std::invalid_argument("expected at least one sample");
  Floats dx = make_floats(shape_of(x));
  {
    float* out = dx.mutable_data();
    const float* in = dy.data();
    const py::gil_scoped_release unlocked;
    network->backward(out, in, all_rows(source));
  }
  std::vector<Floats> gradients;
  Buffer flat(network->buffer_size());
  network->read("gradients", flat.data());
  for (const Place& place : network->places()) {
    gradients.push_back(make_floats(place.parameter.shape));
    std::copy_n(flat.data() + place.offset, gradients.back().size(), gradients.back().mutable_data());
  }
  return {dx, gradients};
}

// Rows and columns of outputs that go with a target of the same shape, or of (rows) if it is sparse.
std::pair<std::size_t, std::size_t> rows_and_columns(const Floats& target, const Floats& output,
                                                     bool sparse) {
  if (output.ndim() != 2)
    throw std::invalid_argument("expected outputs of shape (rows, columns), got " +
                                to_string(shape_of(output)));
  if (output.shape(1) == 0) throw std::invalid_argument("expected outputs with at least one column");
  const Shape shape = shape_of(output), expected = sparse ? Shape{shape[0]} : shape;
  if (shape_of(target) != expected)
    throw std::invalid_argument("expected a target of shape " + to_string(expected) + ", got " +
                                to_string(shape_of(target)));
  if (sparse)
    for (std::size_t r = 0; r < shape[0]; ++r)
      if (const float t = target.data()[r]; !(t >= 0.0f && t < static_cast<float>(shape[1]) &&
                                              t == static_cast<float>(static_cast<std::size_t>(t))))
        throw std::invalid_argument("class numbers must be whole numbers from 0 to " +
                                    std::to_string(shape[1] - 1) + ", got " + std::to_string(t));
  return {shape[0], shape[1]};
}

// Kernels may read past the end of their inputs, so arrays of the user are copied into buffers with room for
// that.
Buffer padded_copy(const Floats& a) {
  Buffer buffer(static_cast<std::size_t>(a.size()));
  std::copy_n(a.data(), a.size(), buffer.data());
  return buffer;
}

Floats from_buffer(const Buffer& buffer, const Shape& shape) {
  Floats a = make_floats(shape);
  std::copy_n(buffer.data(), a.size(), a.mutable_data());
  return a;
}

Floats loss(const std::string& name, const Floats& target, const Floats& output, float label_smoothing) {
  const Loss kind = loss_named(name);
  const auto [rows, columns] = rows_and_columns(target, output, is_sparse(kind));
  const Buffer t = padded_copy(target), x = padded_copy(output);
  Buffer value(rows);
  active_kernels().loss[static_cast<int>(kind)](value.data(), nullptr, t.data(), x.data(), nullptr,
                                                label_smoothing, rows, columns);
  return from_buffer(value, {rows});
}

Floats loss_backward(const std::string& name, const Floats& dy, const Floats& target, const Floats& output,
                     float label_smoothing) {
  const Loss kind = loss_named(name);
  const auto [rows, columns] = rows_and_columns(target, output, is_sparse(kind));
  if (shape_of(dy) != Shape{rows})
    throw std::invalid_argument("expected a dy of shape " + to_string({rows}) + ", got " +
                                to_string(shape_of(dy)));
  const Buffer t = padded_copy(target), x = padded_copy(output), scale = padded_copy(dy);
  Buffer value(rows), dx(rows * columns);
  active_kernels().loss[static_cast<int>(kind)](value.data(), dx.data(), t.data(), x.data(), scale.data(),
                                                label_smoothing, rows, columns);
  return from_buffer(dx, {rows, columns});
}

Floats metric(const std::string& name, const Floats& target, const Floats& output) {
  const Metric kind = metric_named(name);
  const auto [rows, columns] = rows_and_columns(target, output, is_sparse(kind));
  const Buffer t = padded_copy(target), x = padded_copy(output);
  Buffer value(rows);
  active_kernels().metric[static_cast<int>(kind)](value.data(), t.data(), x.data(), rows, columns);
  return from_buffer(value, {rows});
}

std::pair<Floats, std::vector<Floats>> update(const py::tuple& spec, std::uint64_t step,
                                              const Floats& parameter, const Floats& gradient,
                                              const std::vector<Floats>& moments) {
  const auto optimizer = make_optimizer(spec_from(spec));
  if (moments.size() != optimizer->moments().size())
    throw std::invalid_argument("expected " + std::to_string(optimizer->moments().size()) + " moments, got " +
                                std::to_string(moments.size()));
  if (step < 1) throw std::invalid_argument("step counts from 1");
  const Shape shape = shape_of(parameter);
  for (const Floats& a : moments)
    if (shape_of(a) != shape) throw std::invalid_argument("moments must have the shape of the parameter");
  if (shape_of(gradient) != shape)
    throw std::invalid_argument("gradient must have the shape of the parameter");
  Buffer w = padded_copy(parameter);
  const Buffer g = padded_copy(gradient);
  std::vector<Buffer> m;
  float* pointers[kMostMoments] = {};
  for (const Floats& a : moments) m.push_back(padded_copy(a));
  for (std::size_t i = 0; i < m.size(); ++i) pointers[i] = m[i].data();
  optimizer->begin(step);
  optimizer->update(active_kernels(), w.data(), pointers, g.data(), size_of(shape));
  std::vector<Floats> updated;
  for (const Buffer& b : m) updated.push_back(from_buffer(b, shape));
  return {from_buffer(w, shape), updated};
}

}  // namespace

void bind_ops(py::module_& m) {
  m.def("forward", &forward, py::arg("spec"), py::arg("x"), py::arg("parameters"),
        py::arg("training") = false, py::arg("seed") = 0);
  m.def("backward", &backward, py::arg("spec"), py::arg("dy"), py::arg("x"), py::arg("parameters"),
        py::arg("training") = false, py::arg("seed") = 0);
  m.def("loss", &loss, py::arg("name"), py::arg("target"), py::arg("output"), py::arg("label_smoothing"));
  m.def("loss_backward", &loss_backward, py::arg("name"), py::arg("dy"), py::arg("target"), py::arg("output"),
        py::arg("label_smoothing"));
  m.def("metric", &metric, py::arg("name"), py::arg("target"), py::arg("output"));
  m.def("update", &update, py::arg("spec"), py::arg("step"), py::arg("parameter"), py::arg("gradient"),
        py::arg("moments"));
}

}  // namespace nncore

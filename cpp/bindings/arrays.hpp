// Conversions between Python and the core, with their checks.
#pragma once

#include <pybind11/critical_section.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "../core/source.hpp"
#include "../graph/graph.hpp"
#include "../training/counter.hpp"

namespace nncore {

namespace py = pybind11;

// Contiguous and aligned arrays, readable through a pointer. Others are converted to a copy.
constexpr int kPlain = py::array::c_style | int{py::detail::npy_api::NPY_ARRAY_ALIGNED_};
using Floats = py::array_t<float, kPlain | py::array::forcecast>;

inline Shape shape_of(const py::array& a, py::ssize_t first_axis = 0) {
  return {a.shape() + first_axis, a.shape() + a.ndim()};
}

inline Floats make_floats(const Shape& shape) {
  return Floats(std::vector<py::ssize_t>(shape.begin(), shape.end()));
}

inline Shape with_rows(std::size_t rows, const Shape& row) {
  Shape shape(1 + row.size(), rows);
  std::copy(row.begin(), row.end(), shape.begin() + 1);
  return shape;
}

inline py::tuple tuple_of(const Shape& shape) { return py::tuple(py::cast(shape)); }

// A float, or an array with a value for each threshold.
inline py::object object_of(const Value& value) {
  if (const double* one = std::get_if<double>(&value)) return py::float_(*one);
  const auto& each = std::get<std::vector<double>>(value);
  return py::array_t<double>(static_cast<py::ssize_t>(each.size()), each.data());
}

// Sizes may be None, which is kOpen, if `may_be_open`.
inline Shape shape_from(const py::handle& h, bool may_be_open = false) {
  Shape shape;
  for (const py::handle item : py::reinterpret_borrow<py::sequence>(h)) {
    if (may_be_open && item.is_none()) {
      shape.push_back(kOpen);
      continue;
    }
    const auto d = item.cast<std::int64_t>();
    if (d < 1)
      throw std::invalid_argument("the sizes of a shape must be at least 1, got " + std::to_string(d));
    shape.push_back(static_cast<std::size_t>(d));
  }
  size_of(shape);
  return shape;
}

inline std::vector<Shape> shapes_from(const py::sequence& items, bool may_be_open = false) {
  std::vector<Shape> shapes;
  for (const py::handle item : items) shapes.push_back(shape_from(item, may_be_open));
  return shapes;
}

// The array must outlive the result.
inline Source source_of(const py::array& a) {
  const std::vector<std::ptrdiff_t> strides(a.strides(), a.strides() + a.ndim());
  const char order = a.dtype().byteorder();
  constexpr char kForeign = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '>' : '<';
  return Source(a.data(), a.dtype().kind(), static_cast<std::size_t>(a.itemsize()), order == kForeign,
                shape_of(a), strides);
}

inline Attribute attribute_from(const py::handle& h) {
  if (py::isinstance<py::bool_>(h)) return h.cast<bool>();
  if (py::isinstance<py::int_>(h)) {
    const long long value = PyLong_AsLongLong(h.ptr());
    if (value == -1 && PyErr_Occurred()) throw py::error_already_set();
    return std::int64_t{value};
  }
  if (py::isinstance<py::float_>(h)) return h.cast<double>();
  if (py::isinstance<py::str>(h)) return h.cast<std::string>();
  if (py::isinstance<py::tuple>(h) || py::isinstance<py::list>(h)) {
    for (const py::handle item : h)
      if (py::isinstance<py::float_>(item)) return h.cast<std::vector<double>>();
    return h.cast<std::vector<std::int64_t>>();
  }
  throw py::type_error("attributes are bool, int, float, str or a tuple of int or float, got " +
                       py::repr(py::type::handle_of(h)).cast<std::string>());
}

inline Spec spec_from(const py::handle& h) {
  const auto pair = py::reinterpret_borrow<py::object>(h).cast<std::pair<std::string, py::dict>>();
  Spec spec{pair.first, {}};
  for (const auto& [name, value] : pair.second)
    spec.attributes[name.cast<std::string>()] = attribute_from(value);
  return spec;
}

inline std::optional<Spec> optional_spec_from(const py::object& o) {
  return o.is_none() ? std::nullopt : std::optional<Spec>(spec_from(o));
}

inline std::vector<Spec> specs_from(const py::iterable& items) {
  std::vector<Spec> specs;
  for (const py::handle item : items) specs.push_back(spec_from(item));
  return specs;
}

void bind_runtime(py::module_& m);
void bind_ops(py::module_& m);
void bind_table(py::module_& m);
void bind_network(py::module_& m);

}  // namespace nncore

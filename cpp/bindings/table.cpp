#include "../kernels/table.hpp"

#include "arrays.hpp"

namespace nncore {
namespace {

// (name, default, least, most, whether `most` itself is excluded) of each.
py::list settings_of(const SettingList& list) {
  py::list settings;
  for (const Setting& s : list)
    if (s.name) settings.append(py::make_tuple(s.name, s.initial, s.least, s.most, s.open));
  return settings;
}

}  // namespace

void bind_table(py::module_& m) {
  m.def("activations", [] {
    py::dict rows;
    for (const ActivationRow& row : kActivations)
      rows[row.name] = py::make_tuple(settings_of(row.settings), row.over_rows);
    return rows;
  });
}

}  // namespace nncore

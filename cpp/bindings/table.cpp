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

// The activation behind which the loss is computed from logits, or None.
py::object last_of(const LossRow& row) {
  for (const FromLogits& fused : kFromLogits)
    if (&row == &row_of(fused.loss)) return py::str(row_of(fused.last).name);
  return py::none();
}

}  // namespace

void bind_table(py::module_& m) {
  m.def("activations", [] {
    py::dict rows;
    for (const ActivationRow& row : kActivations)
      rows[row.name] = py::make_tuple(settings_of(row.settings), row.over_rows);
    return rows;
  });
  m.def("losses", [] {
    py::dict rows;
    for (const LossRow& row : kLosses)
      rows[row.name] = py::make_tuple(settings_of(row.settings), row.sparse, last_of(row));
    return rows;
  });
  m.def("metrics", [] {
    py::dict rows;
    for (const MetricRow& row : kMetrics)
      rows[row.name] = py::make_tuple(settings_of(row.settings), row.sparse, row.counts);
    return rows;
  });
  m.def("optimizers", [] {
    py::dict rows;
    for (const OptimizerRow& row : kOptimizers) {
      py::list settings = settings_of(row.settings), moments;
      settings += settings_of({kWeightDecay});
      for (std::size_t i = 0; i < moments_of(row); ++i) moments.append(row.moments[i]);
      rows[row.name] = py::make_tuple(settings, moments);
    }
    return rows;
  });
}

}  // namespace nncore

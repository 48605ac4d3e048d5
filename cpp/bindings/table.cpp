#include "../kernels/table.hpp"

#include "arrays.hpp"

namespace nncore {
namespace {

// (name, default, least, most, whether `most` itself is excluded) of each setting.
py::list settings_of(const SettingList& list) {
  py::list settings;
  for (const Setting& s : list)
    if (s.name) settings.append(py::make_tuple(s.name, s.initial, s.least, s.most, s.open));
  return settings;
}

// The activation whose inputs the loss takes as logits, or None.
py::object last_of(const LossRow& row) {
  for (const FromLogits& fused : kFromLogits)
    if (&row == &row_of(fused.loss)) return py::str(row_of(fused.last).name);
  return py::none();
}

// Adds a function `name` that returns a dict of describe(row) by the names of the rows.
template <class Rows, class Describe>
void bind_rows(py::module_& m, const char* name, const Rows& rows, Describe describe) {
  m.def(name, [&rows, describe] {
    py::dict found;
    for (const auto& row : rows) found[row.name] = describe(row);
    return found;
  });
}

}  // namespace

void bind_table(py::module_& m) {
  bind_rows(m, "activations", kActivations, [](const ActivationRow& row) {
    return py::make_tuple(settings_of(row.settings), row.over_rows);
  });
  bind_rows(m, "losses", kLosses, [](const LossRow& row) {
    return py::make_tuple(settings_of(row.settings), row.sparse, last_of(row));
  });
  bind_rows(m, "metrics", kMetrics, [](const MetricRow& row) {
    return py::make_tuple(settings_of(row.settings), row.sparse, row.counts);
  });
  bind_rows(m, "optimizers", kOptimizers, [](const OptimizerRow& row) {
    const auto first = row.moments.begin();
    const std::vector<std::string> moments(first, first + moments_of(row));
    return py::make_tuple(settings_of(row.settings) + settings_of({kWeightDecay}), moments);
  });
}

}  // namespace nncore

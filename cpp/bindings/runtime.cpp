#include "../kernels/dispatch.hpp"
#include "../layers/layer.hpp"
#include "../runtime/parallel.hpp"
#include "arrays.hpp"

namespace nncore {

void bind_runtime(py::module_& m) {
  // Errors in NNCORE_ISA and NNCORE_NUM_THREADS are raised at import.
  active_kernels();
  get_num_threads();

  m.def("isa", [] { return std::string(active_kernels().isa); });
  m.def("available_isas", [] {
    std::vector<std::string> names;
    for (const Kernels* table : available_kernels()) names.emplace_back(table->isa);
    return names;
  });
  m.def("select_isa", &select_kernels, py::arg("name"));
  m.def("get_num_threads", &get_num_threads);
  m.def("set_num_threads", &set_num_threads, py::arg("n"));
  m.def("build_info", [] {
    return std::map<std::string, std::string>{{"compiler", __VERSION__}, {"threads", parallel_backend()}};
  });
  m.def("layer_kinds", &layer_kinds);
  m.def(
      "infer",
      [](const py::tuple& spec, const py::sequence& input_shapes) {
        const auto layer = make_layer(spec_from(spec), shapes_from(input_shapes));
        std::vector<std::pair<std::string, py::tuple>> parameters;
        for (const Parameter& p : layer->parameters()) parameters.emplace_back(p.name, tuple_of(p.shape));
        return std::pair(tuple_of(layer->output()), parameters);
      },
      py::arg("spec"), py::arg("input_shapes"));
}

}  // namespace nncore

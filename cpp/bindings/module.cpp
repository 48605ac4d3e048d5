#include "arrays.hpp"

#ifndef NNCORE_VERSION
#define NNCORE_VERSION "0"
#endif

// A network holds a mutex around every call, and the rest has no state, so the module is safe without the
// GIL.
PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
  m.doc() = "The compiled core of nncore.";
  m.attr("__version__") = NNCORE_VERSION;
  nncore::bind_runtime(m);
  nncore::bind_ops(m);
  nncore::bind_network(m);
}

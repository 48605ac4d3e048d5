#include "arrays.hpp"
#include "calls.hpp"

#ifndef NNCORE_VERSION
#define NNCORE_VERSION "0"
#endif

// Calls on networks and variables take a lock, calls on a counter take turns, and nothing else has state, so
// the module is safe without the GIL.
PYBIND11_MODULE(core, m, pybind11::mod_gil_not_used()) {
  m.doc() = "The compiled core of nncore.";
  m.attr("__version__") = NNCORE_VERSION;
  nncore::bind_runtime(m);
  nncore::bind_table(m);
  nncore::bind_ops(m);
  nncore::bind_network(m);
  pybind11::module_::import("atexit").attr("register")(
      pybind11::cpp_function(&nncore::WithoutGil::begin_exit));
}

// pybind11 would wait for ever in a subinterpreter that shares the GIL.
extern "C" PYBIND11_EXPORT PyObject* PyInit__core() {
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    PyErr_SetString(PyExc_ImportError,
                    "nncore cannot be imported in a subinterpreter: use a process instead");
    return nullptr;
  }
  return PyInit_core();
}

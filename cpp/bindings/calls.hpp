// Calls from Python into the core.
#pragma once

#include <pybind11/pybind11.h>

#include <stdexcept>
#include <type_traits>

#include "../runtime/float_mode.hpp"
#include "../runtime/parallel.hpp"

namespace nncore {

// Releases the GIL while it exists. Daemon threads that would take the GIL while the interpreter ends sleep
// instead: Python would end them with C++ frames on their stacks, which ends the process.
class WithoutGil {
 public:
  WithoutGil() : state_(PyEval_SaveThread()) {}
  ~WithoutGil() { take(); }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

  // Runs signal handlers, on the main thread only. Returns whether one raised; its exception is then set.
  bool handle_signals();

  // Called at exit by the thread that ends the interpreter, with the GIL.
  static void begin_exit();

 private:
  void take();

  PyThreadState* state_;
};

// Runs f() without the GIL, in the default floating-point mode. Throws what f or a signal handler throws.
template <class F>
auto run_core(F f) {
  const auto run = [&] {
    WithoutGil unlocked;
    const DefaultFloatMode mode;
    Stoppable call([](void* gil) { return static_cast<WithoutGil*>(gil)->handle_signals(); }, &unlocked);
    if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
      f();
      throw_if_stopped();
    } else {
      auto result = f();
      throw_if_stopped();
      return result;
    }
  };
  try {
    return run();
  } catch (const Stopped&) {
    if (PyErr_Occurred()) throw pybind11::error_already_set();
    throw std::runtime_error(
        "a signal's handler forked this process while the core was at work: what it did is lost");
  }
}

}  // namespace nncore

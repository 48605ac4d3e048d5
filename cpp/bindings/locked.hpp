// Calls of the core under the lock of a network or of the variables of a layer.
#pragma once

#include "../engine/network.hpp"
#include "calls.hpp"

namespace nncore {

// Adds the methods that work on samples to the class.
void bind_passes(py::module_& m, py::class_<Network>& network);

inline Store& store_of(const Network& network) { return network.store(); }
inline Store& store_of(const Variables& variables) { return *variables.store(); }

// Runs f() in the core while `held` is locked. The GIL is released before the lock is taken, so no thread
// waits for the lock while it holds the GIL.
template <class Holder, class F>
auto locked(const Holder& held, Use use, F f) {
  return run_core([&] {
    const StoreLock lock(store_of(held), use);
    return f();
  });
}
template <class Holder, class F>
auto reading(const Holder& held, F f) {
  return locked(held, Use::read, f);
}
template <class Holder, class F>
auto writing(const Holder& held, F f) {
  return locked(held, Use::write, f);
}
template <class Holder, class F>
auto looking(const Holder& held, F f) {
  return locked(held, Use::look, f);
}

}  // namespace nncore

#include "calls.hpp"

#include <atomic>
#include <chrono>
#include <thread>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace nncore {
namespace {

std::atomic<bool> exiting{false};
std::atomic<int> waiting{0};  // threads that are about to take the GIL
std::atomic<std::thread::id> exiting_thread{};

#if defined(__unix__) || defined(__APPLE__)
// A forked child has no other threads of its parent.
const int registered = pthread_atfork(nullptr, nullptr, [] { waiting = 0; });
#endif

bool is_main_thread() {
#if defined(__linux__)
  return syscall(SYS_gettid) == getpid();
#else
  return false;
#endif
}

bool is_finalizing() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing();
#else
  return _Py_IsFinalizing();
#endif
}

}  // namespace

void WithoutGil::take() {
  waiting.fetch_add(1);
  if (exiting.load() && std::this_thread::get_id() != exiting_thread.load()) {
    waiting.fetch_sub(1);
    // Functions that run at exit may wait for this thread, so it continues if they take long.
    for (int i = 0; i < 20 && !is_finalizing(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    while (is_finalizing()) std::this_thread::sleep_for(std::chrono::hours(1));
    return PyEval_RestoreThread(state_);
  }
  PyEval_RestoreThread(state_);
  waiting.fetch_sub(1);
}

bool WithoutGil::handle_signals() {
  if (!is_main_thread()) return false;
  take();
  const bool raised = PyErr_CheckSignals() != 0;
  state_ = PyEval_SaveThread();
  return raised;
}

void WithoutGil::begin_exit() {
  exiting_thread = std::this_thread::get_id();
  exiting = true;
  PyThreadState* const state = PyEval_SaveThread();
  while (waiting.load() > 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
  PyEval_RestoreThread(state);
}

}  // namespace nncore

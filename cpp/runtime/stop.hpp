// Calls that a signal may stop between two tasks.
#pragma once

#include <atomic>
#include <cstdint>

namespace nncore {

// Thrown by a stopped call, whose results are incomplete.
struct Stopped {};

// While it exists, the work of this thread may be stopped: after 0.3 s, `ask` is called about every 0.1 s
// between two tasks; once it returns true, the remaining tasks are skipped.
class Stoppable {
 public:
  using Ask = bool (*)(void* context);
  Stoppable(Ask function, void* context);
  ~Stoppable();
  Stoppable(const Stoppable&) = delete;
  Stoppable& operator=(const Stoppable&) = delete;

  bool is_stopped() const { return stopped_; }
  bool ask();  // calls `function` if it is time; whether the call is stopped
  void stop() { stopped_ = true; }

 private:
  Stoppable* before_;
  Ask ask_;
  void* context_;
  bool stopped_ = false;
  std::int64_t next_;  // milliseconds
};

// While it exists, the work of this thread is finished even if the call is being stopped.
class Unstoppable {
 public:
  Unstoppable();
  ~Unstoppable();
  Unstoppable(const Unstoppable&) = delete;
  Unstoppable& operator=(const Unstoppable&) = delete;

 private:
  Stoppable* before_;
};

// Stops this thread's call, if it may be stopped.
void stop_call();
// For a worker thread: the flag that tells whether the job it works on is stopped.
void follow_stop(const std::atomic<bool>* stopped);

// Whether the call is being stopped; a task may then skip its remaining work. ask_for_stop also asks, if it
// is time: for long loops without a parallel_for.
bool stop_requested();
bool ask_for_stop();
inline void throw_if_stopped() {
  if (stop_requested()) throw Stopped();
}

}  // namespace nncore

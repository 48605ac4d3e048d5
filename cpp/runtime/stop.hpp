// Calls that a signal may stop between two tasks.
#pragma once

#include <atomic>
#include <cstdint>

namespace nncore {

// What a stopped call throws. Its results are not of use.
struct Stopped {};

// While it exists, the work of this thread may be stopped: from 0.3 s on, every 0.1 s or so between two
// tasks, `ask` is called, and once it says so the tasks that are left are skipped. Shorter calls are not
// asked for.
class Stoppable {
 public:
  using Ask = bool (*)(void* context);
  Stoppable(Ask function, void* context);
  ~Stoppable();
  Stoppable(const Stoppable&) = delete;
  Stoppable& operator=(const Stoppable&) = delete;

  bool is_stopped() const { return stopped_; }
  bool ask();  // if it is time
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
// In a thread that works for other threads' calls: where it is told that the one at work is stopped.
void follow_stop(const std::atomic<bool>* stopped);

// Whether the call is being stopped. In a task, what is left of it need not be done. The second asks, if it
// is time, and is for loops that take long without a parallel_for.
bool stop_requested();
bool ask_for_stop();
inline void throw_if_stopped() {
  if (stop_requested()) throw Stopped();
}

}  // namespace nncore

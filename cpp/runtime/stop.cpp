#include "stop.hpp"

#include <chrono>
#include <ctime>

namespace nncore {
namespace {

constexpr std::int64_t kFirstAsk = 300, kAskPeriod = 100;  // milliseconds

// A fast, coarse clock, as it is read after every task.
std::int64_t milliseconds() {
#if defined(CLOCK_MONOTONIC_COARSE)
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
#else
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
#endif
}

// The stoppable call of this thread, or null. In a worker thread, the flag of the job it works on.
thread_local Stoppable* current_call = nullptr;
thread_local const std::atomic<bool>* job_is_stopped = nullptr;

}  // namespace

Stoppable::Stoppable(Ask function, void* context)
    : before_(current_call), ask_(function), context_(context), next_(milliseconds() + kFirstAsk) {
  current_call = this;
}
Stoppable::~Stoppable() { current_call = before_; }

bool Stoppable::ask() {
  if (stopped_ || milliseconds() < next_) return stopped_;
  if (ask_(context_)) stopped_ = true;
  next_ = milliseconds() + kAskPeriod;
  return stopped_;
}

Unstoppable::Unstoppable() : before_(current_call) { current_call = nullptr; }
Unstoppable::~Unstoppable() { current_call = before_; }

bool ask_for_stop() { return current_call ? current_call->ask() : stop_requested(); }

bool stop_requested() {
  if (current_call) return current_call->is_stopped();
  return job_is_stopped && job_is_stopped->load(std::memory_order_relaxed);
}

void stop_call() {
  if (current_call) current_call->stop();
}

void follow_stop(const std::atomic<bool>* stopped) { job_is_stopped = stopped; }

}  // namespace nncore

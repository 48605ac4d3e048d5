#include "lock.hpp"

#include <stdexcept>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define NNCORE_FORKS 1
#endif

namespace nncore {
namespace {

std::atomic<std::uint32_t> process_number_{1};

#if defined(NNCORE_FORKS)
const int registered =
    pthread_atfork(nullptr, nullptr, [] { process_number_.fetch_add(1, std::memory_order_relaxed); });
#endif

}  // namespace

std::uint32_t process_number() { return process_number_.load(std::memory_order_relaxed); }

bool Lock::lock(Use use) {
  const std::thread::id thread = std::this_thread::get_id();
  const std::uint32_t process = process_number(), mine = process << 1 | (use == Use::write ? 1 : 0);
  if (thread_.load(std::memory_order_relaxed) == thread &&
      holder_.load(std::memory_order_relaxed) >> 1 == process) {
    if (use == Use::look) return false;
    throw std::runtime_error(
        "the model is running in this thread, which a signal has interrupted: the signal handler may "
        "read and save the model; for anything else, let it set a flag or raise an exception");
  }
  std::uint32_t seen = 0;
  while (!holder_.compare_exchange_weak(seen, mine, std::memory_order_acquire, std::memory_order_relaxed)) {
    if (seen == 0) continue;
    if (seen >> 1 == process) {
      holder_.wait(seen, std::memory_order_relaxed);
      seen = 0;
    } else if (seen & 1) {
      throw std::runtime_error(
          "another thread was changing the model when this process was forked, so its weights may be those "
          "of an unfinished step: load the model from a file, or fork while no thread trains it");
    }
  }
  thread_.store(thread, std::memory_order_relaxed);
  return true;
}

void Lock::unlock() {
  thread_.store({}, std::memory_order_relaxed);
  holder_.store(0, std::memory_order_release);
  holder_.notify_one();
}

}  // namespace nncore

// A lock that a forked child can tell from one that a thread of its own holds.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace nncore {

// Forks between the first process with this library and this one, plus 1.
std::uint32_t process_number();

// What the holder does with what the lock guards: reads or writes it, or looks at what no call that is at
// work changes before its end.
enum class Use : std::uint32_t { read, write, look };

class Lock {
 public:
  // Waits for another thread of this process. A lock that a thread of the parent held at a fork is taken over
  // if that thread only read. Throws std::runtime_error if it wrote, as what it wrote may be half done, and
  // if this thread holds the lock already and wants more than a look. False if it does and a look is all:
  // then the lock is not to be unlocked.
  bool lock(Use use);
  void unlock();

 private:
  std::atomic<std::uint32_t> holder_{0};  // 0, or twice the number of the process, plus 1 if it writes
  std::atomic<std::thread::id> thread_{};
};

class Locked {
 public:
  Locked(Lock& lock, Use use) : lock_(lock), is_held_(lock_.lock(use)) {}
  ~Locked() {
    if (is_held_) lock_.unlock();
  }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  Lock& lock_;
  bool is_held_;
};

}  // namespace nncore

// A lock that knows whether a thread of this process or, at the fork, one of its parent took it.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace nncore {

// 1 in the process that loaded the library, and one more in each generation of forked children.
std::uint32_t process_number();

// How the holder uses the guarded object: it reads it, writes it, or looks only at state that a running call
// does not change before it ends.
enum class Use : std::uint32_t { read, write, look };

class Lock {
 public:
  // Waits while another thread of this process holds the lock. A lock that a reader of the parent process
  // held at the fork is taken over. Throws std::runtime_error if a writer held it, as its changes may be
  // incomplete, or if this thread holds the lock already and `use` is not look. If it is look, returns false:
  // the caller must not unlock then.
  bool lock(Use use);
  void unlock();

 private:
  std::atomic<std::uint32_t> holder_{0};  // 0 if free, else 2 * process number, plus 1 for a writer
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

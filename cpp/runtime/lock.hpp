// A lock that a forked child can tell from one that a thread of its own holds.
#pragma once

#include <atomic>
#include <cstdint>

namespace nncore {

// What the holder does with what the lock guards.
enum class Use : std::uint32_t { read, write };

class Lock {
 public:
  // Waits for another thread of this process. A lock that a thread of the parent held at a fork is taken over
  // if that thread only read. Throws std::runtime_error if it wrote: what it wrote may be half done.
  void lock(Use use);
  void unlock();

 private:
  std::atomic<std::uint32_t> holder_{0};  // 0, or twice the number of the process, plus Use
};

class Locked {
 public:
  Locked(Lock& lock, Use use) : lock_(lock) { lock_.lock(use); }
  ~Locked() { lock_.unlock(); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  Lock& lock_;
};

}  // namespace nncore

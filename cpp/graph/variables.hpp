// The weights of layers, which several networks may hold, and the lock that guards them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "../layers/layer.hpp"
#include "../runtime/lock.hpp"
#include "../runtime/memory.hpp"
#include "../runtime/random.hpp"

namespace nncore {

// The lock and version of some variables and of the networks that use them. Stores whose variables one
// network uses are joined: all but one then forward to that one.
class Store {
 public:
  // `version` changes with the values, so that packed weights are known to be out of date, and `moves` with
  // the addresses of variables. No two stores share a number, so a network sees that its store was joined.
  std::uint64_t version = new_number(), moves = new_number();

  // A number that was never returned before, and is not 0.
  static std::uint64_t new_number();
  // The store that this one has been joined to, or itself.
  Store& current();
  // Joins all stores. Waits for running calls, but never while it holds a lock: a signal handler could wait
  // for that lock while the interrupted call holds the other one.
  static void join(const std::vector<std::shared_ptr<Store>>& stores);

 private:
  friend class StoreLock;
  static std::shared_ptr<Store> last_of(std::shared_ptr<Store> store);

  Lock lock_;
  const std::uint64_t rank_ = mix(new_number());  // stores forward to lower ranks; random, for short chains
  std::atomic<Store*> next_{nullptr};
  std::shared_ptr<Store> keeps_next_;  // written before next_
};

// Holds the lock of a store. Throws as Lock::lock.
class StoreLock {
 public:
  StoreLock(Store& store, Use use);
  ~StoreLock() {
    if (is_held_) store_->lock_.unlock();
  }
  StoreLock(const StoreLock&) = delete;
  StoreLock& operator=(const StoreLock&) = delete;

 private:
  Store* store_ = nullptr;
  bool is_held_ = false;
};

// The variables of one layer in one block of memory: first those that train, then state. The store must be
// locked, except for what never changes (list, floats, start).
class Variables {
 public:
  explicit Variables(std::vector<Parameter> list);

  const std::vector<Parameter>& list() const { return list_; }
  std::size_t floats() const { return floats_; }
  std::size_t trainable_floats() const { return trainable_floats_; }  // those before the state
  std::size_t start(std::size_t i) const { return starts_[i]; }       // of variable i in the block

  float* data() { return memory_->data() + offset_; }
  const float* data() const { return memory_->data() + offset_; }
  // Copy one variable in the user's layout. set calls changed.
  void get(std::size_t i, float* values) const { copy_out(values, data(), i); }
  void set(std::size_t i, const float* values);
  void changed();

  // Copy one variable between the user's layout and a block laid out like data().
  void copy_in(float* block, const float* values, std::size_t i) const;
  void copy_out(float* values, const float* block, std::size_t i) const;

  std::uint64_t version() const { return version_; }
  const std::shared_ptr<Store>& store() const { return store_; }

  // Moves all into one block in this order, unless they already are. Variables that share their block with
  // others stay where they are, as moving them would free no memory. The common store must be locked.
  static void bring_together(const std::vector<std::shared_ptr<Variables>>& all);

 private:
  std::vector<Parameter> list_;
  std::vector<std::size_t> starts_;
  std::size_t floats_ = 0, trainable_floats_ = 0, offset_ = 0;
  std::shared_ptr<Buffer> memory_;
  std::uint64_t version_ = 1;
  std::shared_ptr<Store> store_;
};

// Offset of a block of `floats` after a block that ends at `end`. Small blocks are contiguous, so that one
// run updates all of them; large ones begin on a cache line.
constexpr std::size_t block_start(std::size_t end, std::size_t floats) {
  constexpr std::size_t kLarge = 1024;
  return floats < kLarge ? end : aligned(end);
}

}  // namespace nncore

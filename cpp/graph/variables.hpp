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

// What guards some variables and the networks that hold them. Stores whose variables meet in one network are
// joined: all but one forward to it from then on.
class Store {
 public:
  // Of the values, so that a network knows when packed weights are out of date, and of the places of
  // variables in memory. No two stores ever have the same, so that a network sees that its store has been
  // joined.
  std::uint64_t version = new_number(), moves = new_number();

  // Never 0, and never the same again.
  static std::uint64_t new_number();
  // The store that this one has been joined to, or itself.
  Store& current();
  // Makes one store of all. Waits for calls that are at work, but never with a lock in its hands: a signal's
  // handler may wait for that one with the other in the hands of the call that it has interrupted.
  static void join(const std::vector<std::shared_ptr<Store>>& stores);

 private:
  friend class StoreLock;
  static std::shared_ptr<Store> last_of(std::shared_ptr<Store> store);

  Lock lock_;
  const std::uint64_t rank_ = mix(new_number());  // forwards to lower ones: at random, so that no way is long
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

// The variables of one layer, side by side in one block of memory: those that are trained, then its state.
// All but what never changes (list, floats, places) is to be used with the store locked.
class Variables {
 public:
  explicit Variables(std::vector<Parameter> list);

  const std::vector<Parameter>& list() const { return list_; }
  std::size_t floats() const { return floats_; }
  std::size_t trainable_floats() const { return trainable_floats_; }  // those before the state
  std::size_t start(std::size_t i) const { return starts_[i]; }       // of variable i in the block

  float* data() { return memory_->data() + offset_; }
  const float* data() const { return memory_->data() + offset_; }
  // One variable in the user's layout. set counts as a change.
  void get(std::size_t i, float* values) const { copy_out(values, data(), i); }
  void set(std::size_t i, const float* values);
  void changed();

  // A variable between the user's layout and a block laid out like data().
  void copy_in(float* block, const float* values, std::size_t i) const;
  void copy_out(float* values, const float* block, std::size_t i) const;

  std::uint64_t version() const { return version_; }
  const std::shared_ptr<Store>& store() const { return store_; }

  // Moves all into one block in this order, unless they lie so already. Those whose block holds others as
  // well stay where they are: what they leave behind would stay in memory. With their common store locked.
  static void bring_together(const std::vector<std::shared_ptr<Variables>>& all);

 private:
  std::vector<Parameter> list_;
  std::vector<std::size_t> starts_;
  std::size_t floats_ = 0, trainable_floats_ = 0, offset_ = 0;
  std::shared_ptr<Buffer> memory_;
  std::uint64_t version_ = 1;
  std::shared_ptr<Store> store_;
};

// Where a block of `floats` begins that follows one that ends at `end`: small blocks touch, so that one run
// over memory updates all of them, and large ones begin on a cache line.
constexpr std::size_t block_start(std::size_t end, std::size_t floats) {
  constexpr std::size_t kLarge = 1024;
  return floats < kLarge ? end : aligned(end);
}

}  // namespace nncore

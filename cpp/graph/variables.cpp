#include "variables.hpp"

#include <algorithm>
#include <map>

#include "parameters.hpp"

namespace nncore {

Store& Store::current() {
  Store* store = this;
  while (Store* next = store->next_.load(std::memory_order_acquire)) store = next;
  return *store;
}

std::uint64_t Store::new_number() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

std::shared_ptr<Store> Store::last_of(std::shared_ptr<Store> store) {
  while (store->next_.load(std::memory_order_acquire)) store = std::shared_ptr(store->keeps_next_);
  return store;
}

void Store::join(const std::vector<std::shared_ptr<Store>>& stores) {
  for (const std::shared_ptr<Store>& other : stores) {
    for (;;) {
      std::shared_ptr<Store> to = last_of(stores[0]), from = last_of(other);
      if (to == from) break;
      if (from->rank_ < to->rank_) to.swap(from);
      const Locked lock(from->lock_, Use::read);
      if (from->next_.load(std::memory_order_relaxed)) continue;
      from->keeps_next_ = to;
      from->next_.store(to.get(), std::memory_order_release);
    }
  }
}

StoreLock::StoreLock(Store& store, Use use) {
  for (;;) {
    store_ = &store.current();
    is_held_ = store_->lock_.lock(use);
    if (store_ == &store.current()) return;
    if (is_held_) store_->lock_.unlock();
  }
}

Variables::Variables(std::vector<Parameter> list)
    : list_(std::move(list)), store_(std::make_shared<Store>()) {
  for (const Parameter& p : list_) {
    starts_.push_back(floats_);
    floats_ = checked_floats(1, floats_ + checked_floats(1, size_of(p.shape)));
    if (!p.is_state) trainable_floats_ = floats_;
  }
  memory_ = std::make_shared<Buffer>(floats_);
}

void Variables::set(std::size_t i, const float* values) {
  copy_in(data(), values, i);
  changed();
}

void Variables::changed() {
  ++version_;
  store_->current().version = Store::new_number();
}

void Variables::copy_in(float* block, const float* values, std::size_t i) const {
  const Parameter& p = list_[i];
  if (p.transposed)
    transpose(block + starts_[i], p.columns(), values, p.rows(), p.columns(), p.rows());
  else
    std::copy_n(values, size_of(p.shape), block + starts_[i]);
}

void Variables::copy_out(float* values, const float* block, std::size_t i) const {
  const Parameter& p = list_[i];
  if (p.transposed)
    transpose(values, p.rows(), block + starts_[i], p.columns(), p.rows(), p.columns());
  else
    std::copy_n(block + starts_[i], size_of(p.shape), values);
}

void Variables::bring_together(const std::vector<std::shared_ptr<Variables>>& all) {
  std::map<const Buffer*, long> here;
  for (const auto& v : all) ++here[v->memory_.get()];
  std::vector<Variables*> moving;
  std::vector<std::size_t> starts;
  std::size_t end = 0;
  bool together = true;
  for (const auto& v : all) {
    if (v->floats_ == 0 || here[v->memory_.get()] != v->memory_.use_count()) continue;
    moving.push_back(v.get());
    starts.push_back(block_start(end, v->floats_));
    together = together && v->data() == moving[0]->data() + starts.back();
    end = starts.back() + v->floats_;
  }
  if (together) return;
  const auto memory = std::make_shared<Buffer>(end);
  for (std::size_t i = 0; i < moving.size(); ++i)
    std::copy_n(moving[i]->data(), moving[i]->floats_, memory->data() + starts[i]);
  for (std::size_t i = 0; i < moving.size(); ++i) {
    moving[i]->memory_ = memory;
    moving[i]->offset_ = starts[i];
  }
  all[0]->store_->current().moves = Store::new_number();
}

}  // namespace nncore

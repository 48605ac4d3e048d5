#include "weights.hpp"

#include <algorithm>

namespace nncore {

Weights::Weights(std::vector<std::shared_ptr<Variables>> variables, bool input_gradients)
    : variables_(std::move(variables)) {
  std::vector<std::shared_ptr<Variables>> held;  // those of layers that have variables
  std::vector<std::shared_ptr<Store>> stores;
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    const std::vector<Parameter>& list = variables_[i]->list();
    std::size_t at = flat_size_;
    for (std::size_t p = 0; p < list.size(); ++p) {
      flat_parameters_.push_back({i, p, at});
      at = checked_floats(1, at + checked_floats(1, size_of(list[p].shape)));
    }
    flat_size_ = aligned(at);
    if (list.empty()) continue;
    held.push_back(variables_[i]);
    stores.push_back(variables_[i]->store());
  }
  store_ = stores.empty() ? std::make_shared<Store>() : stores[0];
  Store::join(stores);
  const StoreLock lock(*store_, Use::write);
  Variables::bring_together(held);
  trained_.inputs = input_gradients;
  trained_ = layout(std::vector<bool>(variables_.size(), true));
}

// Blocks are laid out as in Variables::bring_together, so that runs of values and moments coincide.
TrainedLayout Weights::layout(const std::vector<bool>& trainable) const {
  TrainedLayout layout{trainable, std::vector<std::size_t>(variables_.size()), 0, trained_.inputs};
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    const std::size_t floats = variables_[i]->trainable_floats();
    if (!trainable[i] || floats == 0) continue;
    layout.at[i] = block_start(layout.size, floats);
    layout.size = layout.at[i] + floats;
  }
  return layout;
}

void Weights::train(TrainedLayout layout, std::vector<Buffer> new_moments) {
  trained_ = std::move(layout);
  moments = std::move(new_moments);
  gradients = {};
}

void Weights::read(const Buffer* buffer, float* values) const {
  std::fill_n(values, flat_size_, 0.0f);
  for (const FlatParameter& p : flat_parameters_) {
    const Variables& v = of(p.layer);
    if (!buffer)
      v.get(p.index, values + p.offset);
    else if (is_trained(p))
      v.copy_out(values + p.offset, buffer->data() + trained_.at[p.layer], p.index);
  }
}

void Weights::write(Buffer* buffer, const float* values) {
  for (const FlatParameter& p : flat_parameters_) {
    Variables& v = of(p.layer);
    if (!buffer)
      v.set(p.index, values + p.offset);
    else if (is_trained(p))
      v.copy_in(buffer->data() + trained_.at[p.layer], values + p.offset, p.index);
  }
}

void Weights::set_trained(const Buffer& values) {
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    const std::size_t floats = variables_[i]->trainable_floats();
    if (!trained_.trains[i] || floats == 0) continue;
    std::copy_n(values.data() + trained_.at[i], floats, variables_[i]->data());
    variables_[i]->changed();
  }
}

void Weights::find_runs() {
  runs_.clear();
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    const std::size_t floats = variables_[i]->trainable_floats();
    if (!trained_.trains[i] || floats == 0) continue;
    float* const values = variables_[i]->data();
    if (!runs_.empty()) {
      UpdateRun& last = runs_.back();
      if (values == last.values + last.floats && trained_.at[i] == last.at + last.floats) {
        last.floats += floats;
        continue;
      }
    }
    runs_.push_back({values, trained_.at[i], floats});
  }
}

}  // namespace nncore

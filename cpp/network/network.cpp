#include "network.hpp"

#include <algorithm>
#include <numeric>

#include "../kernels/dispatch.hpp"
#include "../runtime/parallel.hpp"

namespace nncore {

Network::Network(Shape input, std::vector<Spec> specs, bool fuse,
                 std::vector<std::shared_ptr<Variables>> variables)
    : kernels_(active_kernels()),
      input_(std::move(input)),
      specs_(std::move(specs)),
      fuse_(fuse),
      variables_(std::move(variables)) {
  trainable_.assign(specs_.size(), true);
  auto plan = std::make_unique<Plan>(input_, specs_, fuse_, false);
  output_ = plan->output();
  flat_size_ = plan->parameter_floats();
  own_variables(*plan);
  trained_ = trained_layout(trainable_);
  adopt(std::move(plan),
        std::make_unique<Objective>(std::nullopt, std::vector<Spec>{}, 0, output_, last_activation(specs_)));
}

void Network::own_variables(const Plan& plan) {
  std::vector<std::vector<Parameter>> lists(specs_.size());
  for (const Place& p : plan.places()) lists[p.layer].push_back(p.parameter);
  if (variables_.empty())
    for (const auto& list : lists) variables_.push_back(std::make_shared<Variables>(list));
  if (variables_.size() != specs_.size())
    throw std::invalid_argument("expected the variables of " + std::to_string(specs_.size()) +
                                " layers, got those of " + std::to_string(variables_.size()));
  std::vector<std::shared_ptr<Variables>> held;  // of layers that have any
  std::vector<std::shared_ptr<Store>> stores;
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (variables_[i]->list() != lists[i]) specs_[i].fail("has variables that do not fit its shape");
    if (lists[i].empty()) continue;
    held.push_back(variables_[i]);
    stores.push_back(variables_[i]->store());
  }
  store_ = stores.empty() ? std::make_shared<Store>() : stores[0];
  Store::join(stores);
  const StoreLock lock(*store_, Use::write);
  Variables::bring_together(held);
}

// Blocks follow each other as in Variables::bring_together, so that runs of both coincide.
Network::TrainedLayout Network::trained_layout(const std::vector<bool>& trainable) const {
  TrainedLayout layout{std::vector<std::size_t>(variables_.size()), 0};
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    if (!trainable[i] || variables_[i]->floats() == 0) continue;
    layout.at[i] = block_start(layout.size, variables_[i]->floats());
    layout.size = layout.at[i] + variables_[i]->floats();
  }
  return layout;
}

void Network::compile(const std::optional<Spec>& loss, const std::vector<Spec>& metrics,
                      const std::vector<Spec>& weighted_metrics, const std::optional<Spec>& optimizer,
                      const std::vector<bool>& trainable) {
  if (trainable.size() != specs_.size())
    throw std::invalid_argument("trainable must hold one flag for each layer");
  std::vector<Spec> all = metrics;
  all.insert(all.end(), weighted_metrics.begin(), weighted_metrics.end());
  auto objective = std::make_unique<Objective>(loss, all, metrics.size(), output_, last_activation(specs_));
  auto plan = std::make_unique<Plan>(input_, specs_, fuse_, !objective->activation().is_linear());
  auto new_optimizer = optimizer ? std::make_unique<Optimizer>(*optimizer) : nullptr;
  TrainedLayout layout = trained_layout(trainable);
  std::vector<Buffer> moments;
  if (new_optimizer)
    for (std::size_t i = 0; i < new_optimizer->moments().size(); ++i) moments.emplace_back(layout.size);

  optimizer_ = std::move(new_optimizer);
  moments_ = std::move(moments);
  trained_ = std::move(layout);
  gradients_ = {};
  trainable_ = trainable;
  iterations = 0;
  adopt(std::move(plan), std::move(objective));
}

void Network::adopt(std::unique_ptr<Plan> plan, std::unique_ptr<Objective> objective) {
  plan_ = std::move(plan);
  objective_ = std::move(objective);
  find_boundaries();
  cut_tiles();
  seen_version_ = seen_moves_ = 0;
}

// No store has the number 0, so that a network that has seen nothing catches up.
void Network::catch_up(const Store& now) {
  const auto& steps = plan_->steps();
  if (seen_version_ == 0)
    for (const Step& step : steps) step.layer->prepare();
  if (now.moves != seen_moves_) {
    for (std::size_t i = 0; i < memory_.size(); ++i) memory_[i].values = variables_[steps[i].spec]->data();
    find_updates();
  }
  for (const auto& [number, t] : tiles_)
    if (memory_[number].packed != variables_[steps[number].spec]->version()) replicate(number, t.tile);
  for (std::size_t i = 0; i < memory_.size(); ++i) memory_[i].packed = variables_[steps[i].spec]->version();
  seen_version_ = now.version;
  seen_moves_ = now.moves;
}

// Training has kept this network's packed weights up to date, and no other's.
void Network::mark_trained() {
  for (std::size_t i = 0; i < memory_.size(); ++i) {
    if (!memory_[i].trained) continue;
    Variables& v = *variables_[plan_->steps()[i].spec];
    v.changed();
    memory_[i].packed = v.version();
  }
  seen_version_ = store_->current().version;
}

void Network::find_updates() {
  updates_.clear();
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    const std::size_t floats = variables_[i]->floats();
    if (!trainable_[i] || floats == 0) continue;
    float* const values = variables_[i]->data();
    if (!updates_.empty()) {
      UpdateRun& last = updates_.back();
      if (values == last.values + last.floats && trained_.at[i] == last.at + last.floats) {
        last.floats += floats;
        continue;
      }
    }
    updates_.push_back({values, trained_.at[i], floats});
  }
}

void Network::find_boundaries() {
  const auto& steps = plan_->steps();
  memory_.assign(steps.size(), {});
  boundaries_.assign(1, {.size = size_of(input_)});
  arena_batch_ = results_batch_ = chunked_batch_ = 0;
  sample_work_ = layer_scratch_ = widest_ = 0;
  std::size_t replica = 0;
  bool needs_gradient = false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Layer& layer = *steps[i].layer;
    StepMemory& m = memory_[i];
    m.trained = trainable_[steps[i].spec] && !layer.parameters().empty();
    needs_gradient = needs_gradient || m.trained;
    m.trained_at = trained_.at[steps[i].spec];
    m.kept_size = layer.kept();
    m.replica = replica;
    m.in = boundaries_.size() - 1;
    replica += aligned(layer.replica(kernels_, boundaries_[m.in].needs_gradient));
    if (!layer.is_view())
      boundaries_.push_back({.size = size_of(layer.output()), .needs_gradient = needs_gradient});
    m.out = boundaries_.size() - 1;
    for (const Parameter& p : layer.parameters()) m.parameter_floats += size_of(p.shape);
    if (m.trained && layer.sums_by_chunk()) m.sums_size = m.parameter_floats;
    boundaries_[m.out].lasting = boundaries_[m.out].lasting || (m.trained && m.sums_size == 0);
    sample_work_ += layer.work();
    layer_scratch_ = std::max(layer_scratch_, layer.scratch());
  }
  sample_floats_ = passing_ = 0;
  for (const Boundary& b : boundaries_) {
    if (b.needs_gradient && !b.lasting) passing_ = std::max(passing_, b.size);
    sample_floats_ += b.size * (b.needs_gradient ? 2 : 1);
    widest_ = std::max(widest_, b.size);
  }
  for (const StepMemory& m : memory_) sample_floats_ += m.kept_size;
  layer_scratch_ = aligned(kernels_.gemm_scratch) + aligned(layer_scratch_);
  replica_.grow(replica);
}

void Network::cut_tiles() {
  tiles_.clear();
  tile_floats_ = 0;
  std::vector<double> cost;  // of each tile in pass 2, about: multiply-adds
  for (std::size_t i = 0; i < plan_->steps().size(); ++i) {
    for (const ParameterTile& t : tiles_of(*plan_->steps()[i].layer)) {
      tiles_.push_back({i, t});
      tile_floats_ = std::max(tile_floats_, t.floats());
      constexpr double kBatch = 32, kUpdate = 24;  // of a parameter
      const StepMemory& m = memory_[i];
      const double gradient = m.sums_size ? 0.0
                                          : kBatch * static_cast<double>(plan_->steps()[i].layer->work()) /
                                                static_cast<double>(m.parameter_floats);
      cost.push_back(m.trained ? static_cast<double>(t.floats()) * (gradient + kUpdate) : 0.0);
    }
  }

  constexpr double kMostRuns = 64;
  const double least = std::accumulate(cost.begin(), cost.end(), 0.0) / kMostRuns;
  runs_.assign(1, 0);
  double run = 0.0;
  for (std::size_t i = 0; i < tiles_.size(); ++i) {
    run += cost[i];
    if (run < least || run == 0.0) continue;
    runs_.push_back(i + 1);
    run = 0.0;
  }
  if (runs_.size() == 1) runs_.push_back(0);
  runs_.back() = tiles_.size();
}

void Network::replicate(std::size_t number, const Tile& tile) {
  const StepMemory& m = memory_[number];
  plan_->steps()[number].layer->replicate(kernels_, replica_.data() + m.replica, m.values, tile,
                                          {.forward = true, .dx = boundaries_[m.in].needs_gradient});
}

std::vector<std::string> Network::step_labels() const {
  std::vector<std::string> labels;
  for (const Step& step : plan_->steps())
    if (!step.layer->is_view()) labels.push_back(step.label);
  if (!objective_->activation().is_linear())
    labels.push_back(std::string(objective_->activation().row().name) + "+loss");
  return labels;
}

std::vector<std::string> Network::buffer_names() const {
  std::vector<std::string> names{"parameters", "gradients"};
  if (optimizer_) names.insert(names.end(), optimizer_->moments().begin(), optimizer_->moments().end());
  return names;
}

const Buffer* Network::trained_buffer(const std::string& name) const {
  if (name == "parameters") return nullptr;
  if (name == "gradients") return &gradients_;
  if (optimizer_)
    for (std::size_t i = 0; i < moments_.size(); ++i)
      if (optimizer_->moments()[i] == name) return &moments_[i];
  throw std::invalid_argument("there is no buffer '" + name + "'");
}

void Network::read(const std::string& name, float* values) const {
  const Buffer* from = trained_buffer(name);
  if (from && !from->data()) throw std::runtime_error("no " + name + " have been computed yet");
  std::fill_n(values, flat_size_, 0.0f);
  for (const Place& p : places()) {
    const Variables& v = *variables_[p.layer];
    if (!from)
      v.get(p.index, values + p.offset);
    else if (trainable_[p.layer])
      v.copy_out(values + p.offset, from->data() + trained_.at[p.layer], p.index);
  }
}

void Network::write(const std::string& name, const float* values) {
  const Buffer* const to = trained_buffer(name);
  if (to == &gradients_) throw std::invalid_argument("gradients cannot be written");
  for (const Place& p : places()) {
    Variables& v = *variables_[p.layer];
    if (!to)
      v.set(p.index, values + p.offset);
    else if (trainable_[p.layer])
      v.copy_in(const_cast<Buffer*>(to)->data() + trained_.at[p.layer], values + p.offset, p.index);
  }
}

void Network::check(const Source& x, const Source* y) const {
  if (x.row_shape() != input_)
    throw std::invalid_argument("expected samples of shape " + to_string(input_) + ", got " +
                                to_string(x.row_shape()));
  if (!y) return;
  objective_->check_shape(*y, x.rows());
  if (!objective_->has_labels()) return;
  std::vector<float> labels(y->row_size());
  constexpr std::size_t kLook = 4096;  // rows between two looks at the clock
  for (std::size_t row = 0; row < y->rows(); ++row) {
    if (row % kLook == 0 && ask_for_stop()) throw Stopped();
    y->read(labels.data(), nullptr, row, 1);
    objective_->check_labels(labels.data(), row);
  }
}

float Network::learning_rate() const {
  require(optimizer_ != nullptr, "an optimizer");
  return optimizer_->learning_rate;
}

void Network::set_learning_rate(float rate) {
  require(optimizer_ != nullptr, "an optimizer");
  if (!(rate >= 0.0f && rate <= 3.4e38f))
    throw std::invalid_argument("learning_rate must be a finite number >= 0, got " + std::to_string(rate));
  optimizer_->learning_rate = rate;
}

void Network::require(bool present, const char* what) const {
  if (!present) throw std::runtime_error("the network is not compiled with " + std::string(what));
}

}  // namespace nncore

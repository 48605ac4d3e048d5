#include "network.hpp"

#include <algorithm>
#include <numeric>

#include "../kernels/dispatch.hpp"
#include "../runtime/parallel.hpp"

namespace nncore {

Network::Network(Shape input, std::vector<Spec> specs, bool fuse)
    : kernels_(active_kernels()), input_(std::move(input)), specs_(std::move(specs)), fuse_(fuse) {
  trainable_.assign(specs_.size(), true);
  auto plan = std::make_unique<Plan>(input_, specs_, fuse_, false);
  output_ = plan->output();
  parameters_.grow(plan->parameter_floats());
  adopt(std::move(plan), std::make_unique<Objective>(std::nullopt, std::vector<std::string>{}, output_,
                                                     last_activation(specs_)));
}

void Network::compile(const std::optional<Spec>& loss, const std::vector<std::string>& metrics,
                      const std::vector<std::string>& weighted_metrics, const std::optional<Spec>& optimizer,
                      const std::vector<bool>& trainable) {
  if (trainable.size() != specs_.size())
    throw std::invalid_argument("trainable must hold one flag for each layer");
  std::vector<std::string> all = metrics;
  all.insert(all.end(), weighted_metrics.begin(), weighted_metrics.end());
  auto objective = std::make_unique<Objective>(loss, all, output_, last_activation(specs_));
  auto plan = std::make_unique<Plan>(input_, specs_, fuse_, !objective->activation().is_linear());
  auto new_optimizer = optimizer ? make_optimizer(*optimizer) : nullptr;
  std::vector<Buffer> moments;
  if (new_optimizer)
    for (std::size_t i = 0; i < new_optimizer->moments().size(); ++i)
      moments.emplace_back(plan->parameter_floats());

  optimizer_ = std::move(new_optimizer);
  moments_ = std::move(moments);
  weighted_from_ = metrics.size();
  trainable_ = trainable;
  iterations = 0;
  if (gradients_.data()) gradients_.zero();
  adopt(std::move(plan), std::move(objective));
}

void Network::adopt(std::unique_ptr<Plan> plan, std::unique_ptr<Objective> objective) {
  plan_ = std::move(plan);
  prepared_ = false;
  objective_ = std::move(objective);
  find_boundaries();
  cut_tiles();
  replicate_all();
}

void Network::find_boundaries() {
  const auto& steps = plan_->steps();
  memory_.assign(steps.size(), {});
  boundaries_.assign(1, {.size = size_of(input_)});
  arena_batch_ = results_batch_ = chunked_batch_ = 0;
  sample_work_ = layer_scratch_ = widest_ = 0;
  std::size_t replica = 0;
  bool needs_gradient = false, joins = false;
  updates_.clear();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Layer& layer = *steps[i].layer;
    StepMemory& m = memory_[i];
    m.trained = trainable_[steps[i].spec] && !layer.parameters().empty();
    needs_gradient = needs_gradient || m.trained;
    m.kept_size = layer.kept();
    m.replica = replica;
    m.in = boundaries_.size() - 1;
    replica += aligned(layer.replica(kernels_, boundaries_[m.in].needs_gradient));
    if (!layer.is_view())
      boundaries_.push_back({.size = size_of(layer.output()), .needs_gradient = needs_gradient});
    m.out = boundaries_.size() - 1;
    for (const Parameter& p : layer.parameters()) m.parameter_floats += size_of(p.shape);
    if (m.parameter_floats > 0) {
      const std::size_t first = steps[i].parameters;
      if (m.trained && !joins) updates_.push_back({first, 0});
      if (m.trained) updates_.back().second = first + m.parameter_floats - updates_.back().first;
      joins = m.trained;
    }
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
  const Step& step = plan_->steps()[number];
  const StepMemory& m = memory_[number];
  step.layer->replicate(kernels_, replica_.data() + m.replica, parameters_.data() + step.parameters, tile,
                        {.forward = true, .dx = boundaries_[m.in].needs_gradient});
}

void Network::replicate_all() {
  for (const auto& [number, t] : tiles_) replicate(number, t.tile);
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

const Buffer& Network::buffer(const std::string& name) const {
  if (name == "parameters") return parameters_;
  if (name == "gradients") return gradients_;
  if (optimizer_)
    for (std::size_t i = 0; i < moments_.size(); ++i)
      if (optimizer_->moments()[i] == name) return moments_[i];
  throw std::invalid_argument("there is no buffer '" + name + "'");
}

namespace {

// One parameter in a flat buffer, from and to the user's layout.
void set(float* buffer, const Place& place, const float* values) {
  const auto& [layer, p, offset] = place;
  if (p.transposed)
    transpose(buffer + offset, p.columns(), values, p.rows(), p.columns(), p.rows());
  else
    std::copy_n(values, size_of(p.shape), buffer + offset);
}
void get(float* values, const float* buffer, const Place& place) {
  const auto& [layer, p, offset] = place;
  if (p.transposed)
    transpose(values, p.rows(), buffer + offset, p.columns(), p.rows(), p.columns());
  else
    std::copy_n(buffer + offset, size_of(p.shape), values);
}

}  // namespace

const Buffer& Network::filled(const std::string& name) const {
  const Buffer& b = buffer(name);
  if (b.size() < buffer_size()) throw std::runtime_error("no " + name + " have been computed yet");
  return b;
}

void Network::read(const std::string& name, float* values) const {
  const Buffer& from = filled(name);
  std::copy_n(from.data(), buffer_size(), values);
  for (const Place& p : places()) get(values + p.offset, from.data(), p);
}

void Network::write(const std::string& name, const float* values) {
  auto& to = const_cast<Buffer&>(buffer(name));
  to.grow(buffer_size());
  std::copy_n(values, buffer_size(), to.data());
  for (const Place& p : places()) set(to.data(), p, values + p.offset);
  if (name == "parameters") replicate_all();
}

void Network::read_places(const std::string& name, std::size_t first,
                          const std::vector<float*>& values) const {
  const Buffer& from = filled(name);
  for (std::size_t i = 0; i < values.size(); ++i) get(values[i], from.data(), places().at(first + i));
}

void Network::write_places(const std::string& name, std::size_t first,
                           const std::vector<const float*>& values) {
  if (values.empty()) return;
  auto& to = const_cast<Buffer&>(buffer(name));
  to.grow(buffer_size());
  for (std::size_t i = 0; i < values.size(); ++i) set(to.data(), places().at(first + i), values[i]);
  if (name != "parameters") return;
  for (const auto& [step, t] : tiles_) {
    const std::size_t offset = plan_->steps()[step].parameters + t.start;
    if (offset >= places()[first].offset && offset <= places()[first + values.size() - 1].offset)
      replicate(step, t.tile);
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

void Sums::reset() {
  std::ranges::fill(values, 0.0);
  std::ranges::fill(weights, 0.0);
}

std::vector<double> Sums::means() const {
  std::vector<double> means;
  for (std::size_t i = 0; i < values.size(); ++i)
    means.push_back(weights[i] != 0.0 ? values[i] / weights[i] : 0.0);
  return means;
}

}  // namespace nncore

#include "network.hpp"

#include <algorithm>

#include "../kernels/dispatch.hpp"
#include "batches.hpp"

namespace nncore {
namespace {

bool is_open(const Graph& graph) {
  return std::ranges::any_of(graph.inputs, [](const Shape& s) { return std::ranges::count(s, kOpen) > 0; });
}

Graph checked(Graph graph) {
  graph.check();
  return graph;
}

// The variables of each layer: those given, or else new ones of the shapes of its first call.
std::vector<std::shared_ptr<Variables>> variables_of(const Graph& graph,
                                                     std::vector<std::shared_ptr<Variables>> given) {
  if (given.empty()) {
    std::vector<std::vector<Parameter>> lists(graph.layers.size());
    for (const Node& node : nodes_of(graph, graph.inputs, std::vector<bool>(graph.values())))
      lists[node.layer] = node.made->parameters();
    for (const auto& list : lists) given.push_back(std::make_shared<Variables>(list));
  }
  if (given.size() != graph.layers.size())
    throw std::invalid_argument("expected the variables of " + std::to_string(graph.layers.size()) +
                                " layers, got those of " + std::to_string(given.size()));
  return given;
}

}  // namespace

Network::Network(Graph graph, bool is_fused, std::vector<std::shared_ptr<Variables>> variables,
                 bool input_gradients)
    : kernels_(active_kernels()),
      graph_(checked(std::move(graph))),
      fuse_(is_fused),
      weights_(variables_of(graph_, std::move(variables)), input_gradients) {
  judged_.resize(graph_.outputs.size());
  if (!is_open(graph_)) output_shapes_ = output_shapes(graph_.inputs);
}

std::unique_ptr<Program> Network::program_for(std::vector<Shape> inputs, const std::vector<Judged>& judged,
                                              const TrainedLayout& trained) const {
  std::vector<bool> detached(graph_.values());
  for (std::size_t i = 0; i < judged.size(); ++i)
    if (Objective::takes_over(judged[i].loss, graph_.last_activation(i))) detached[graph_.outputs[i]] = true;
  auto program = std::make_unique<Program>(
      Program{Plan(graph_, std::move(inputs), detached, fuse_, weights_.variables(), trained, kernels_),
              nullptr,
              {},
              {},
              {},
              {},
              0,
              0,
              {}});
  if (fuse_ && std::ranges::any_of(program->plan.steps,
                                   [](const Step& s) { return s.layer->batch_statistics() != nullptr; })) {
    const TrainedLayout none = weights_.layout(std::vector<bool>(weights_.variables().size()));
    program->folded = std::make_unique<Plan>(graph_, program->plan.inputs, detached, fuse_,
                                             weights_.variables(), none, kernels_, true);
    if (program->folded->folded.size() == 0) program->folded = nullptr;
  }
  for (std::size_t i = 0; i < judged.size(); ++i) {
    std::vector<Spec> metrics = judged[i].metrics;
    metrics.insert(metrics.end(), judged[i].weighted_metrics.begin(), judged[i].weighted_metrics.end());
    program->objectives.emplace_back(judged[i].loss, metrics, judged[i].metrics.size(),
                                     program->plan.outputs[i].shape, graph_.last_activation(i),
                                     program->plan.outputs[i].mask != kNoMask);
  }
  for (const Graph::Penalized& p : graph_.penalized) {
    program->penalties.emplace_back(p.regularizer);
    if (program->penalties.back().is_of_matrix())
      p.regularizer.fail("expected a regularizer of elements for a value, got one of matrices of weights");
  }
  program->empty = empty_sums(program->objectives);
  return program;
}

std::vector<Shape> Network::shapes_of(const Source* x) const {
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < graph_.inputs.size(); ++i) shapes.push_back(x[i].row_shape());
  return shapes;
}

void Network::use(std::vector<Shape> inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) graph_.check_input(i, inputs[i]);
  if (!programs_.find(inputs)) programs_.add(program_for(std::move(inputs), judged_, weights_.trained()));
}

std::vector<Shape> Network::output_shapes(const std::vector<Shape>& inputs) {
  use(inputs);
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < graph_.outputs.size(); ++i) shapes.push_back(plan().outputs[i].shape);
  return shapes;
}

void Network::compile(const std::vector<Judged>& outputs, const std::optional<Spec>& optimizer,
                      const std::vector<bool>& trainable, const std::vector<WeightRule>& regularizers,
                      const std::vector<WeightRule>& constraints, const Spec& rules,
                      const std::vector<bool>& decays) {
  if (trainable.size() != graph_.layers.size())
    throw std::invalid_argument("trainable must hold one flag for each layer, got " +
                                std::to_string(trainable.size()));
  if (!decays.empty() && decays.size() != weights_.flat_parameters().size())
    throw std::invalid_argument("decays must hold one flag for each parameter, got " +
                                std::to_string(decays.size()));
  if (outputs.size() != graph_.outputs.size())
    throw std::invalid_argument("expected losses of " + std::to_string(graph_.outputs.size()) +
                                " outputs, got " + std::to_string(outputs.size()));
  auto new_optimizer = optimizer ? std::make_unique<Optimizer>(*optimizer) : nullptr;
  TrainedLayout layout = weights_.layout(trainable);
  std::vector<std::size_t> judged = graph_.ends();  // values with a loss or a penalty
  for (std::size_t i = outputs.size(); i-- > 0;)
    if (!outputs[i].loss) judged.erase(judged.begin() + offset(i));
  std::vector<bool> used(graph_.layers.size());
  const std::vector<bool> needed = graph_.needed_by(judged);
  for (std::size_t i = 0; i < graph_.calls.size(); ++i)
    if (needed[graph_.value_of(i)]) used[graph_.calls[i].layer] = true;
  Penalties penalties(regularizers, constraints, weights_.variables(), layout, used);
  std::vector<bool> decaying = decays;  // false for parameters without a gradient
  for (std::size_t i = 0;
       new_optimizer && new_optimizer->has_decay() && i < weights_.flat_parameters().size(); ++i) {
    const FlatParameter& p = weights_.flat_parameters()[i];
    if (!trainable[p.layer] || used[p.layer] || std::ranges::any_of(regularizers, [&](const WeightRule& r) {
          return r.layer == p.layer && r.parameter == p.index;
        }))
      continue;
    decaying.resize(weights_.flat_parameters().size(), true);
    decaying[i] = false;
  }
  Programs programs;
  if (programs_.current()) programs.add(program_for(plan().inputs, outputs, layout));
  std::vector<Buffer> moments;
  if (new_optimizer)
    for (std::size_t i = 0; i < new_optimizer->moments().size(); ++i) {
      Buffer& moment = moments.emplace_back(layout.size);
      if (const float initial = new_optimizer->initial(i)) std::fill_n(moment.data(), layout.size, initial);
    }
  Rules new_rules(rules, std::move(decaying), layout.size);

  optimizer_ = std::move(new_optimizer);
  weights_.train(std::move(layout), std::move(moments));
  rules_ = std::move(new_rules);
  penalties_ = std::move(penalties);
  penalizes_ = !penalties_.empty() || !graph_.penalized.empty();
  penalty_ = 0.0;
  saved_statistics_ = {};
  judged_ = outputs;
  iterations = 0;
  programs_ = std::move(programs);
}

void Network::freeze(const std::vector<bool>& trainable) {
  if (!optimizer_ && trainable != weights_.trained().trains) compile(judged_, std::nullopt, trainable);
}

// A new plan has seen version 0, which no store has, so it always catches up.
void Network::catch_up(Plan& plan, const Store& now, const float* const* arrays) {
  if (plan.seen_version == 0)
    for (const Step& step : plan.steps) step.layer->prepare();
  if (now.moves != plan.seen_moves) {
    for (Step& step : plan.steps)
      step.values =
          step.folding.layer ? plan.folded.data() + step.folding.at : weights_.of(step.number).data();
    find_updates();
  }
  for (Step& step : plan.steps)
    if (step.folding.layer && !is_current(step)) fold(plan, step);
  run_pass(plan.tiles.size(), arrays ? weights_.flat_size() * kCopyWork : 0, [&](std::size_t i, int) {
    const TileTask& task = plan.tiles[i];
    if (arrays) copy_tile(task.tile, arrays[task.tile.tile.parameter]);
    if (!is_current(plan.steps[task.step])) pack_all(plan, task);
  });
  for (Step& step : plan.steps) {
    step.packing.version = weights_.of(step.number).version();
    if (step.folding.layer) step.folding.version = weights_.of(step.folding.number).version();
  }
  plan.seen_version = now.version;
  plan.seen_moves = now.moves;
}

// Copies a tile of the only layer from the user's array, except transposed parameters, which `load` copies.
void Network::copy_tile(const ParameterTile& t, const float* from) {
  Variables& v = weights_.of(0);
  if (v.list()[t.tile.parameter].transposed) return;
  for_each_run(t, t.row_length, [&](std::size_t at, std::size_t, std::size_t n) {
    std::copy_n(from + (at - t.start), n, v.data() + at);
  });
}

// Whether packed and folded weights match the variables.
bool Network::is_current(const Step& step) const {
  return step.packing.version == weights_.of(step.number).version() &&
         (!step.folding.layer || step.folding.version == weights_.of(step.folding.number).version());
}

// Computes weights and bias of a step that include the normalization behind it.
void Network::fold(Plan& plan, Step& step) {
  const Variables &own = weights_.of(step.number), &normalization = weights_.of(step.folding.number);
  const Parameter& kernel = own.list()[0];
  const std::size_t floats = size_of(kernel.shape), units = kernel.units;
  std::vector<float> scale(units), bias(units);
  step.folding.layer->batch_statistics()->moving_map(scale.data(), bias.data(), normalization.data());
  float* const to = plan.folded.data() + step.folding.at;
  for (std::size_t i = 0; i < floats; ++i)
    to[i] = own.data()[i] * scale[kernel.transposed ? i / (floats / units) : i % units];
  for (std::size_t i = 0; i < units; ++i)
    to[floats + i] = bias[i] + (own.list().size() > 1 ? own.data()[own.start(1) + i] * scale[i] : 0.0f);
}

// Training has updated the packed weights of this plan, but of no other.
void Network::mark_trained() {
  for (Step& step : plan().steps) {
    if (!step.is_trained && !step.statistics) continue;
    Variables& v = weights_.of(step.number);
    if (step.is_first) v.changed();
    step.packing.version = v.version();
  }
  plan().seen_version = weights_.store().current().version;
}

void Network::find_updates() {
  weights_.find_runs();
  if (updates_by_pieces()) find_pieces();
}

// Packs one tile for each Layer object among the steps of a layer.
void Network::pack_all(Plan& plan, const TileTask& task) {
  const Layer* layer = nullptr;
  for (const Step* s = &plan.steps[task.step]; s; s = s->next ? &plan.steps[s->next] : nullptr) {
    if (s->layer.get() == layer) continue;
    layer = s->layer.get();
    layer->pack(kernels_, plan.packed.data() + s->packing.at, s->values, task.tile.tile,
                {.forward = s->packing.for_forward, .dx = s->packing.for_dx});
  }
}

std::vector<std::string> Network::step_labels(bool inference) const {
  std::vector<std::string> labels;
  if (!programs_.current()) return labels;
  for (const Step& step : (inference ? program().inference() : plan()).steps)
    if ((inference ? step.inference : step.training).runs()) labels.push_back(step.label);
  for (const Objective& objective : program().objectives)
    if (!objective.activation().is_linear())
      labels.push_back(std::string(objective.activation().row().name) + "+loss");
  return labels;
}

std::vector<std::string> Network::buffer_names() const {
  std::vector<std::string> names{"parameters", "gradients"};
  if (optimizer_) names.insert(names.end(), optimizer_->moments().begin(), optimizer_->moments().end());
  for (const auto& [name, buffer] : rules_.buffers()) names.push_back(name);
  return names;
}

const Buffer* Network::trained_buffer(const std::string& name) const {
  if (name == "parameters") return nullptr;
  if (name == "gradients") return &weights_.gradients;
  if (optimizer_)
    for (std::size_t i = 0; i < weights_.moments.size(); ++i)
      if (optimizer_->moments()[i] == name) return &weights_.moments[i];
  for (const auto& [other, buffer] : rules_.buffers())
    if (other == name) return buffer;
  throw std::invalid_argument("there is no buffer '" + name + "'");
}

void Network::read(const std::string& name, float* values) const {
  const Buffer* from = trained_buffer(name);
  if (from && !from->data()) throw std::runtime_error("no " + name + " have been computed yet");
  weights_.read(from, values);
}

void Network::write(const std::string& name, const float* values) {
  const Buffer* const to = trained_buffer(name);
  if (to == &weights_.gradients) throw std::invalid_argument("gradients cannot be written");
  weights_.write(const_cast<Buffer*>(to), values);
}

void Network::check_targets(const Samples& samples) const {
  for (std::size_t i = 0; i < program().objectives.size(); ++i)
    program().objectives[i].check_shape(samples.y[i], samples.x->rows());
}

void Network::check(const Source* x, const Source* y) {
  use(shapes_of(x));
  if (!y) return;
  check_targets({.x = x, .y = y});
  for (std::size_t i = 0; i < program().objectives.size(); ++i) {
    const Objective& objective = program().objectives[i];
    if (!objective.has_labels()) continue;
    std::vector<float> labels(y[i].row_size());
    constexpr std::size_t kLook = 4096;  // rows between two checks for a stop
    for (std::size_t row = 0; row < y[i].rows(); ++row) {
      if (row % kLook == 0 && ask_for_stop()) throw Stopped();
      y[i].read(labels.data(), nullptr, row, 1);
      objective.check_labels(labels.data(), row);
    }
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

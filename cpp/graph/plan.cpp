#include "plan.hpp"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "../layers/long_sum.hpp"

namespace nncore {

Plan::Plan(const Graph& graph, std::vector<Shape> input_shapes, const std::vector<bool>& detached,
           bool is_fused, const std::vector<std::shared_ptr<Variables>>& variables,
           const TrainedLayout& trained, const Kernels& kernels, bool for_inference)
    : inputs(std::move(input_shapes)) {
  std::vector<Node> nodes = nodes_of(graph, inputs, detached);
  for (const Node& node : nodes)
    if (node.made->parameters() != variables[node.layer]->list())
      node.spec.fail("expected variables for samples of shape " + to_string(node.made->input()) +
                     ", got others");
  const auto shape_of = [&](std::size_t value) {
    return value < inputs.size() ? inputs[value] : nodes[value - inputs.size()].made->output();
  };
  const std::vector<std::size_t> ends = graph.ends();
  for (std::size_t i = 0; i < graph.outputs.size() + graph.penalized.size(); ++i)
    outputs.push_back({shape_of(ends[i]), 0, 0, false});
  for (std::size_t i = 0; i < graph.masks.size(); ++i) {
    if (graph.masks[i] == kNoMask) continue;
    Shape rows = outputs[i].shape;
    if (!rows.empty()) rows.pop_back();
    if (const Shape mask = shape_of(graph.masks[i]); mask != rows)
      throw std::invalid_argument("expected a mask of shape " + to_string(rows) + " for outputs of shape " +
                                  to_string(outputs[i].shape) + ", got " + to_string(mask));
  }
  drop_unused(graph, nodes);
  std::size_t values = graph.values();
  if (is_fused)
    fuse(graph, nodes, for_inference);
  else
    split(nodes, values);
  for (const Node& node : nodes) {
    Step& step = steps.emplace_back();
    step.layer = node.made;
    step.number = node.layer;
    step.call = node.call;
    step.label = node.label;
    step.folding = {node.normalizes, node.normalization};
  }
  wire(graph, nodes, values, true);
  wire(graph, nodes, values, false);
  find_memory(trained, kernels);
  cut_tiles();
  const bool repeats = std::ranges::any_of(steps, [](const Step& s) { return s.next > 0; });
  sizes.tile_scratch =
      aligned(sizes.tile_floats) * (repeats ? 2 : 1) + gradient_scratch(kernels, sizes.tile_floats);
}

// Gives each value a storage. A view shares the storage of its input.
void Plan::wire(const Graph& graph, const std::vector<Node>& nodes, std::size_t values, bool training) {
  std::vector<Storage>& all = training ? storages : infer_storages;
  std::vector<std::size_t> of(values);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    of[i] = i;
    all.push_back({.size = size_of(inputs[i]), .first = 0, .last = 0});
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    Step& step = steps[i];
    const Layer& layer = *step.layer;
    Wires& wires = training ? step.training : step.inference;
    for (const std::size_t value : nodes[i].inputs) {
      wires.in.push_back(of[value]);
      all[of[value]].last = i + 1;
    }
    std::size_t& out = of[nodes[i].output];
    if (training ? layer.traits().is_view : layer.traits().is_view_at_inference) {
      out = wires.in[0];
    } else {
      out = all.size();
      all.push_back({.size = size_of(layer.output()), .first = i + 1, .last = i + 1});
    }
    wires.out = out;
  }
  const std::vector<std::size_t> ends = graph.ends();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::size_t storage = of[ends[i]];
    (training ? outputs[i].storage : outputs[i].infer_storage) = storage;
    all[storage].last = nodes.size() + 1;
    if (i >= graph.masks.size() || graph.masks[i] == kNoMask) continue;
    std::size_t& mask = training ? outputs[i].mask : outputs[i].infer_mask;
    mask = of[graph.masks[i]];
    all[mask].last = nodes.size() + 1;
  }
}

void Plan::find_memory(const TrainedLayout& trained, const Kernels& kernels) {
  for (std::size_t i = 0; i < inputs.size(); ++i)
    storages[i].needs_gradient = storages[i].lasting = trained.inputs;
  std::size_t packed_floats = 0;
  std::vector<std::size_t> last(trained.trains.size());  // last step of each layer, counted from 1
  for (std::size_t i = 0; i < steps.size(); ++i) {
    Step& s = steps[i];
    const Layer& layer = *s.layer;
    for (const Parameter& p : layer.parameters())
      if (!p.is_state) s.parameter_floats += size_of(p.shape);
    s.is_trained = trained.trains[s.number] && s.parameter_floats > 0;
    if (trained.trains[s.number]) s.statistics = layer.batch_statistics();
    s.trained_at = trained.at[s.number];
    s.saved.activations_size = layer.traits().saved;
    if (s.is_trained && layer.traits().sums_by_chunk) s.saved.sums_size = s.parameter_floats;
    const bool for_dx =
        std::ranges::any_of(s.training.in, [&](std::size_t in) { return storages[in].needs_gradient; });
    if (s.is_trained || (for_dx && layer.traits().has_slope)) storages[s.training.out].needs_gradient = true;
    if (s.is_trained && s.saved.sums_size == 0) storages[s.training.out].lasting = true;
    if (s.parameter_floats > 0) {
      s.is_first = last[s.number] == 0;
      if (!s.is_first) steps[last[s.number] - 1].next = i;
      last[s.number] = i + 1;
    }
    sizes.sample_work += layer.traits().work;
    // A large table is updated as a whole, however few of its rows a batch reads.
    constexpr std::size_t kUpdate = 8, kMany = 4;
    if (s.is_trained && s.parameter_floats > kMany * layer.traits().work)
      sizes.table_work += kUpdate * s.parameter_floats;
    sizes.layer_scratch = std::max(sizes.layer_scratch, layer.traits().scratch);
    sizes.least_samples = std::max(sizes.least_samples, layer.traits().least_samples);
  }
  sizes.layer_scratch = aligned(kernels.gemm_scratch) + aligned(sizes.layer_scratch);

  // The steps of one Layer object share packed weights, made for the gradients that any of them computes.
  std::unordered_map<const Layer*, std::size_t> firsts;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    Step& first = steps[firsts.try_emplace(steps[i].layer.get(), i).first->second];
    for (const std::size_t in : steps[i].training.in)
      first.packing.for_dx = first.packing.for_dx || storages[in].needs_gradient;
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    Step& s = steps[i];
    const std::size_t first = firsts.at(s.layer.get());
    s.packing.for_dx = steps[first].packing.for_dx;
    s.packing.at = first < i ? steps[first].packing.at : packed_floats;
    const std::size_t floats = s.layer->packed_size(kernels, s.packing.for_dx);
    s.packing.any = floats > 0;
    if (first == i) packed_floats += aligned(floats);
  }
  packed.grow(packed_floats);
  std::size_t weights = 0;
  for (Step& s : steps)
    if (s.folding.layer) {
      s.folding.at = weights;
      weights += aligned(s.parameter_floats);
    }
  if (weights > 0) folded.grow(weights);
  for (std::size_t i = steps.size(); i-- > 0;)
    if (const std::size_t next = steps[i].next)
      steps[i].packing.any = steps[i].packing.any || steps[next].packing.any;

  std::vector<bool> written(storages.size());
  for (Output& output : outputs) {
    goes_back = goes_back || storages[output.storage].needs_gradient;
    output.adds = written[output.storage];
    if (output.adds) sizes.most_added = std::max(sizes.most_added, aligned(storages[output.storage].size));
    written[output.storage] = true;
  }
  for (std::size_t i = steps.size(); i-- > 0;) {
    Step& s = steps[i];
    std::size_t added = 0;
    const bool flows_back = s.training.runs() && runs_back(s);
    for (const std::size_t in : s.training.in) {
      const bool adds = flows_back && storages[in].needs_gradient && written[in];
      s.adds.push_back(adds);
      if (adds) added += aligned(storages[in].size);
      if (flows_back) written[in] = true;
    }
    s.is_chained = s.training.in.size() == 1 && !s.adds[0];
    sizes.most_added = std::max(sizes.most_added, added);
  }

  find_stages();
  std::size_t widest = 0;
  for (const Storage& b : storages) widest = std::max(widest, b.size);
  std::vector<Lifetime> passing, values;
  for (const Storage& s : storages)
    passing.push_back({s.needs_gradient && !s.lasting ? s.size : 0, s.first, s.last});
  for (const Storage& s : infer_storages) values.push_back({s.size, s.first, s.last});
  gradients = SharedMemory(std::move(passing));
  infer_values = SharedMemory(std::move(values));
  sizes.infer_floats = std::max(2 * widest, infer_values.peak());
}

// Cuts the steps into stages. A gradient that one stage writes and another reads lasts. Losses divide by the
// number of rows that a mask leaves, so a stage ends where all masks are known.
void Plan::find_stages() {
  std::vector<std::size_t> written(storages.size());            // stage that writes the gradient first
  std::vector<std::size_t> counted(storages.size(), SIZE_MAX);  // last stage that has counted its floats
  const auto add = [&](std::size_t storage, Stage& stage) {
    if (counted[storage] == stages.size()) return;
    counted[storage] = stages.size();
    const Storage& s = storages[storage];
    stage.sample_floats += s.size * (s.needs_gradient ? 2 : 1);
  };
  bool masked = false;
  std::size_t masks_known = 0;  // the step before which all masks are known
  for (const Output& output : outputs)
    if (output.mask != kNoMask)
      masked = true, masks_known = std::max(masks_known, storages[output.mask].first);
  Stage stage;
  const auto begin_stage = [&](std::size_t step) {
    if (masked && step == masks_known) mask_stage = stages.size();
    stage.last = step;
    stages.push_back(stage);
    stage = {.first = step};
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) add(i, stage);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    Step& s = steps[i];
    const bool flows_back = runs_back(s);
    if (masked && i == masks_known && !s.statistics) begin_stage(i);
    for (const std::size_t in : s.training.in) written[in] = std::max(written[in], stages.size());
    if (s.statistics) {
      for (const std::size_t in : s.training.in) add(in, stage);
      stage.goes_back = stage.goes_back || flows_back;
      begin_stage(i);
      storages[s.training.out].lasting = storages[s.training.out].needs_gradient;
    }
    stage.goes_back = stage.goes_back || flows_back;
    s.stage = stages.size();
    for (const std::size_t in : s.training.in) add(in, stage);
    add(s.training.out, stage);
    stage.sample_floats += s.saved.activations_size;
    stage.sample_work += s.layer->traits().work;
    stage.least_samples = std::max(stage.least_samples, s.layer->traits().least_samples);
    if (s.is_first) stage.parameters += s.parameter_floats;
  }
  if (masked && masks_known == steps.size()) begin_stage(steps.size());
  stage.last = steps.size();
  for (const Output& output : outputs) add(output.storage, stage), written[output.storage] = stages.size();
  stages.push_back(stage);
  for (Stage& each : stages) each.parameters = aligned(each.parameters);
  for (const Step& s : steps)
    if (written[s.training.out] != s.stage && storages[s.training.out].needs_gradient)
      storages[s.training.out].lasting = true;
}

bool Plan::runs_back(const Step& s) const {
  const auto needs = [&](std::size_t storage) { return storages[storage].needs_gradient; };
  return needs(s.training.out) || (!s.layer->traits().has_slope && std::ranges::any_of(s.training.in, needs));
}

// All steps of a layer share its tiles. They are whole parameters if the steps have different tile shapes.
std::vector<ParameterTile> Plan::tiles_of_all(std::size_t first) const {
  std::vector<ParameterTile> all = tiles_of(*steps[first].layer);
  const std::size_t parameters = steps[first].layer->parameters().size();
  for (std::size_t i = steps[first].next; i; i = steps[i].next)
    for (std::size_t p = 0; p < parameters; ++p)
      if (steps[i].layer->tile_shape(p) != steps[first].layer->tile_shape(p))
        return tiles_of(*steps[first].layer, true);
  return all;
}

void Plan::cut_tiles() {
  std::vector<double> cost;  // approximate multiply-adds of each tile in the parameter pass
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& s = steps[i];
    if (!s.is_first) continue;
    double work = 0.0;
    for (const Step* use = &s; use; use = use->next ? &steps[use->next] : nullptr)
      if (use->saved.sums_size == 0) work += static_cast<double>(use->layer->traits().work);
    for (const ParameterTile& t : tiles_of_all(i)) {
      tiles.push_back({i, t});
      sizes.tile_floats = std::max(sizes.tile_floats, t.floats());
      constexpr double kBatch = 32, kUpdate = 24;  // of a parameter
      const double gradient = kBatch * work / static_cast<double>(s.parameter_floats);
      cost.push_back(s.is_trained ? static_cast<double>(t.floats()) * (gradient + kUpdate) : 0.0);
    }
  }

  constexpr double kMostRuns = 64;
  const double least = std::accumulate(cost.begin(), cost.end(), 0.0) / kMostRuns;
  runs.assign(1, 0);
  double run = 0.0;
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    run += cost[i];
    if (run < least || run == 0.0) continue;
    runs.push_back(i + 1);
    run = 0.0;
  }
  if (runs.size() == 1) runs.push_back(0);
  runs.back() = tiles.size();
}

bool Plan::sums_chunks() const {
  return std::ranges::any_of(steps, [](const Step& s) { return s.saved.sums_size > 0 || s.statistics; });
}

std::size_t Plan::lay_out_training(std::size_t batch, const std::vector<std::size_t>& chunks) {
  Layout layout;
  for (Storage& s : storages) {
    s.value = layout.place(batch, s.size);
    if (s.lasting) s.gradient = layout.place(batch, s.size);
  }
  for (Step& s : steps) {
    s.saved.activations = layout.place(batch, s.saved.activations_size);
    s.saved.sums = layout.place(chunks[s.stage], s.saved.sums_size);
    if (!s.statistics) continue;
    s.saved.partials =
        layout.place(std::max(chunks[s.stage], chunks[s.stage - 1]), s.statistics->partial_floats());
    s.saved.statistics = layout.place(1, s.statistics->floats());
  }
  return layout.size();
}

}  // namespace nncore

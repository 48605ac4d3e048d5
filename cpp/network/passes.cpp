// The two passes of a training step, and the one pass of evaluation and prediction.
//
// Pass 1 cuts the batch into chunks of samples, and carries each forward through all steps, through the loss
// and back. Where a step reads the whole batch, it does so in stages: all chunks arrive there before any goes
// on, in both directions. Pass 2 cuts the parameters into tiles, makes the gradient of each over the whole
// batch, and updates it. How both are cut depends on shapes alone, and what chunks have summed is added in
// their order, so results do not depend on the number of threads.
#include <algorithm>
#include <array>

#include "../layers/long_sum.hpp"
#include "../runtime/parallel.hpp"
#include "../runtime/random.hpp"
#include "batches.hpp"
#include "network.hpp"

namespace nncore {

int Network::threads_for_training(const Samples& s) const {
  const std::size_t batch = std::min(s.batch_size, s.stop - s.start);
  return batch * plan().sizes.sample_work * 2 < kTeamWork ? 1 : get_num_threads();
}

// There is nothing to share when a batch is one chunk.
int Network::threads_for_inference(const Samples& s) const {
  const std::size_t batch = std::min(s.batch_size, s.stop - s.start);
  return batch * inference().sizes.sample_work < kTeamWork || inference_chunk(batch) == batch
             ? 1
             : get_num_threads();
}

std::size_t Network::inference_chunk(std::size_t batch) const {
  return chunk_size(inference().sizes.infer_floats, flat_size_, batch, batch * inference().sizes.sample_work);
}

std::size_t Network::training_chunk(const Stage& stage, std::size_t batch) const {
  return chunk_size(stage.sample_floats, 2 * stage.parameters, batch, batch * stage.sample_work * 2);
}

// The places change before the memory is there, so the old capacity is given up first.
void Network::lay_out_arena(std::size_t batch) {
  if (batch > plan().arena_batch) {
    plan().arena_batch = 0;
    std::vector<std::size_t> chunks;  // of each stage the most of any batch up to this one
    for (const Stage& stage : plan().stages) {
      std::size_t& most = chunks.emplace_back(0);
      for (std::size_t count = 1; plan().sums_chunks() && count <= batch; ++count) {
        const std::size_t size = training_chunk(stage, count);
        most = std::max(most, (count + size - 1) / size);
      }
    }
    plan().arena_floats = plan().lay_out_training(batch, chunks);
  }
  arena_.reserve(plan().arena_floats);
  plan().arena_batch = std::max(batch, plan().arena_batch);
}

void Network::lay_out_scratch(int workers, std::size_t floats) {
  scratch_size_ = aligned(floats) + kSlack;
  scratch_.reserve(checked_floats(static_cast<std::size_t>(workers), scratch_size_));
}

void Network::check_order(const Samples& s, std::size_t start, std::size_t stop) const {
  for (std::size_t position = start; position < stop; ++position)
    if (s.row(position) >= s.x->rows())
      throw std::invalid_argument("order holds " + std::to_string(s.order[position]) + ", but there are " +
                                  std::to_string(s.x->rows()) + " samples");
}

float* Network::gradient_at(std::size_t storage, std::size_t first, float* scratch) {
  const Storage& s = plan().storages[storage];
  if (!s.needs_gradient) return nullptr;
  if (s.lasting) return arena_.data() + s.gradient + first * s.size;
  return scratch + plan().sizes.layer_scratch + plan().gradients.at(storage);
}

Chunk Network::chunk(const Step& s, std::size_t first, std::size_t count, float* scratch) {
  const Storage &in = plan().storages[s.training.in[0]], &out = plan().storages[s.training.out];
  float* a = arena_.data();
  float* const dz = gradient_at(s.training.out, first, scratch);
  return {.kernels = kernels_,
          .samples = count,
          .first = first,
          .key = key_of_layer(step_key_, s.call),
          .parameters = s.values,
          .replica = plan().replica.data() + s.packing.at,
          .scratch = scratch + aligned(kernels_.gemm_scratch),
          .gemm_scratch = scratch,
          .kept = a + s.saved.kept + first * s.saved.kept_size,
          .x = a + in.value + first * in.size,
          .y = a + out.value + first * out.size,
          .dy = dz,
          .dz = dz,
          .dx = gradient_at(s.training.in[0], first, scratch),
          .gradient = s.saved.sums_size
                          ? a + s.saved.sums + first / plan().stages[s.stage].chunk_size * s.saved.sums_size
                          : nullptr,
          .statistics = s.statistics ? a + s.saved.statistics : nullptr};
}

// Before the first chunk goes on to the step with which this stage ends or begins.
template <class Summarize>
void Network::summarize_chunk(const Step& s, const Stage& stage, Chunk& c, Summarize summarize) {
  c.partial = arena_.data() + s.saved.partials + c.first / stage.chunk_size * s.statistics->partial_floats();
  (s.statistics->*summarize)(c);
}

// What the chunks of a stage have summarized.
Partials Network::partials(const Step& s, const Stage& stage, std::size_t count) {
  return {.samples = count,
          .chunk_size = stage.chunk_size,
          .chunks = stage.chunks(count),
          .first = arena_.data() + s.saved.partials,
          .stride = s.statistics->partial_floats(),
          .parameters = s.values,
          .statistics = arena_.data() + s.saved.statistics};
}

void Network::forward_chunk(const Stage& stage, std::size_t first, std::size_t count, float* scratch) {
  for (std::size_t number = stage.first; number < stage.last; ++number) {
    const Step& s = plan().steps[number];
    if (!s.training.runs()) continue;
    Chunk c = chunk(s, first, count, scratch);
    std::array<const float*, kMostInputs> xs;
    c.xs = &c.x;
    if (s.training.in.size() > 1) {
      for (std::size_t i = 0; i < s.training.in.size(); ++i) xs[i] = value_at(s.training.in[i], first);
      c.xs = xs.data();
    }
    s.layer->forward(c);
  }
  if (stage.last == plan().steps.size()) return;
  const Step& next = plan().steps[stage.last];
  Chunk c = chunk(next, first, count, scratch);
  summarize_chunk(next, stage, c, &BatchStatistics::summarize);
}

// A gradient that others have written to comes from the layer in scratch, and is added.
void Network::backward_chunk(const Stage& stage, std::size_t first, std::size_t count, float* scratch) {
  // The step that begins the next stage has its backward in this one.
  for (std::size_t number = std::min(stage.last + 1, plan().steps.size()); number-- > stage.first;) {
    const Step& s = plan().steps[number];
    if (!s.training.runs()) continue;
    Chunk c = chunk(s, first, count, scratch);
    if (!c.dy) continue;
    if (s.statistics && &plan().stages[s.stage] == &stage) {
      summarize_chunk(s, stage, c, &BatchStatistics::summarize_backward);
      continue;
    }
    if (s.is_chained) {
      c.xs = &c.x;
      c.dxs = &c.dx;
      s.layer->backward(c);
      continue;
    }
    std::array<const float*, kMostInputs> xs;
    std::array<float*, kMostInputs> dxs;
    float* added = scratch + plan().sizes.layer_scratch + plan().gradients.size();
    for (std::size_t i = 0; i < s.training.in.size(); ++i) {
      xs[i] = value_at(s.training.in[i], first);
      dxs[i] = gradient_at(s.training.in[i], first, scratch);
      if (!s.adds[i]) continue;
      dxs[i] = added;
      added += aligned(count * plan().storages[s.training.in[i]].size);
    }
    c.xs = xs.data();
    c.dxs = dxs.data();
    c.dx = dxs[0];
    s.layer->backward(c);
    for (std::size_t i = 0; i < s.training.in.size(); ++i)
      if (s.adds[i])
        kernels_.add(gradient_at(s.training.in[i], first, scratch), dxs[i],
                     count * plan().storages[s.training.in[i]].size);
  }
}

// Pass 1. goes_back: from the losses or, where dy is given, from these gradients of the outputs.
void Network::sample_pass(const Samples& s, std::size_t start, std::size_t count, bool goes_back,
                          const float* const* dy) {
  Plan& p = plan();
  if (count != p.chunked_batch) {
    p.chunked_batch = 0;
    std::size_t most = 0;
    for (Stage& stage : p.stages) most = std::max(most, stage.chunk_size = training_chunk(stage, count));
    p.gradients.fit(most);
    lay_out_arena(count);
    p.chunked_batch = count;
  }
  arena_.reserve(p.arena_floats);
  step_key_ = key_of_step(seed, iterations);
  if (goes_back && !dy) read_targets(s, start, count);
  lay_out_scratch(team_size(), std::max(p.sizes.layer_scratch + p.gradients.size() +
                                            checked_floats(p.most_samples(), p.sizes.most_added),
                                        p.sizes.tile_scratch));
  const std::size_t last = p.stages.size() - 1;
  bool any = false;
  for (const Output& output : p.outputs) any = any || p.storages[output.storage].needs_gradient;
  for (std::size_t number = 0; number <= last; ++number) {
    const Stage& stage = p.stages[number];
    for_chunks(stage, count, [&](std::size_t first, std::size_t n, float* scratch) {
      for (std::size_t i = 0; number == 0 && i < p.inputs.size(); ++i)
        s.x[i].read(arena_.data() + p.storages[i].value + first * p.storages[i].size, s.order, start + first,
                    n);
      forward_chunk(stage, first, n, scratch);
      if (number < last || !goes_back) return;
      judge_chunk(s, first, n, scratch, count, dy);
      if (any) backward_chunk(stage, first, n, scratch);
    });
    if (number == last) break;
    const Step& next = p.steps[stage.last];
    next.statistics->combine(partials(next, stage, count));
  }
  for (std::size_t number = last; goes_back && any && number-- > 0;) {
    const Step& next = p.steps[p.stages[number].last];
    if (p.storages[next.training.out].needs_gradient)
      next.statistics->combine_backward(partials(next, p.stages[number + 1], count));
    for_chunks(p.stages[number], count, [&](std::size_t first, std::size_t n, float* scratch) {
      backward_chunk(p.stages[number], first, n, scratch);
    });
  }
}

// Calls body(first, count, scratch) for the chunks of a stage.
template <class Body>
void Network::for_chunks(const Stage& stage, std::size_t count, Body body) {
  const std::size_t size = stage.chunk_size;
  run_pass(stage.chunks(count), count * stage.sample_work * 2, [&](std::size_t task, int worker) {
    body(task * size, std::min(size, count - task * size), scratch_of(worker));
  });
}

// Losses and metrics of some samples, and the gradients with which the way back begins: of the losses, or dy.
void Network::judge_chunk(const Samples& s, std::size_t first, std::size_t n, float* scratch,
                          std::size_t count, const float* const* dy) {
  const Plan& p = plan();
  for (std::size_t o = 0; o < judged_.size(); ++o) {
    const Output& output = p.outputs[o];
    float* const gradient = gradient_at(output.storage, first, scratch);
    float* const own = output.adds ? scratch + p.sizes.layer_scratch + p.gradients.size() : gradient;
    if (const std::size_t size = p.storages[output.storage].size; dy && gradient)
      std::copy_n(dy[o] + first * size, n * size, own);
    else
      evaluate_chunk(s, o, value_at(output.storage, first), own, first, n,
                     static_cast<float>(judged_[o].weight) / static_cast<float>(count));
    if (output.adds && gradient) kernels_.add(gradient, own, n * p.storages[output.storage].size);
  }
  if (!penalizes_) return;
  for (std::size_t o = judged_.size(); o < p.outputs.size(); ++o) {
    const std::size_t storage = p.outputs[o].storage;
    penalize_chunk(o, value_at(storage, first), gradient_at(storage, first, scratch), first, n,
                   1.0f / static_cast<float>(count));
  }
}

// By the batch of the last sample pass, or by what keep_statistics has kept, in the order of the graph.
void Network::move_state(const float* kept) {
  for (const Step& s : plan().steps) {
    if (!s.statistics) continue;
    s.statistics->move_state(s.values, kept ? kept : arena_.data() + s.saved.statistics);
    if (kept) kept += s.statistics->floats();
  }
}

// The gradient of a tile, whose rows are then `row` floats apart: of the first call of a layer, then added
// those of the others, in order.
void Network::tile_gradient(const TileTask& task, std::size_t count, float* gradient, std::size_t row,
                            float* scratch) {
  const Step* s = &plan().steps[task.step];
  const ParameterTile& t = task.tile;
  step_gradient(*s, t, count, gradient, row, scratch + aligned(plan().sizes.tile_floats));
  while (s->next) {
    s = &plan().steps[s->next];
    float* const other = scratch + aligned(plan().sizes.tile_floats);
    step_gradient(*s, t, count, other, t.tile.columns, other + aligned(plan().sizes.tile_floats));
    for (std::size_t r = 0; r < t.tile.rows; ++r)
      kernels_.add(gradient + r * row, other + r * t.tile.columns, t.tile.columns);
  }
}

void Network::step_gradient(const Step& s, const ParameterTile& t, std::size_t count, float* gradient,
                            std::size_t row, float* scratch) {
  const float* a = arena_.data();
  if (s.saved.sums_size == 0)
    return s.layer->gradient({.kernels = kernels_,
                              .samples = count,
                              .kept = a + s.saved.kept,
                              .x = a + plan().storages[s.training.in[0]].value,
                              .dy = a + plan().storages[s.training.out].gradient,
                              .gradient = gradient,
                              .gradient_row = row,
                              .scratch = scratch,
                              .statistics = s.statistics ? a + s.saved.statistics : nullptr},
                             t.tile);
  const std::size_t chunks = plan().stages[s.stage].chunks(count);
  for_each_run(t, row, [&](std::size_t from, std::size_t to, std::size_t n) {
    add_chunks(kernels_, gradient + to, a + s.saved.sums + from, s.saved.sums_size, chunks, n);
  });
}

// n values whose moments lie from `at` on.
void Network::update(float* values, std::size_t at, const float* gradient, std::size_t n, bool decays) {
  float* moment[kMostMoments] = {};
  for (std::size_t i = 0; i < moments_.size(); ++i) moment[i] = moments_[i].data() + at;
  optimizer_->update(kernels_, values, moment, gradient, n, decays);
}

// With less work there is too little to share, and with more a stop would have to wait too long for the end.
// Penalties and constraints see whole gradients and weights.
bool Network::is_fused(std::size_t count) const {
  constexpr std::size_t kLong = std::size_t{1} << 32;
  const std::size_t work = count * plan().sizes.sample_work;
  return work >= kTeamWork && work < kLong && penalties_.empty() && !rules_.any();
}

// Pass 2. A tile's gradient is used at once and never leaves the worker's scratch, unless there is too little
// to share, where parameters side by side are updated in one run, or so much that the call may be stopped
// before the first update, or the gradient is what is wanted, or rules want all of it before the update.
void Network::parameter_pass(std::size_t count, bool with_update) {
  if (with_update && is_fused(count)) {
    optimizer_->begin(iterations + 1);
    const Unstoppable whole;
    return parallel_for(plan().runs.size() - 1, [&](std::size_t run, int worker) {
      float* const gradient = scratch_of(worker);
      for (std::size_t i = plan().runs[run]; i < plan().runs[run + 1]; ++i) {
        const TileTask& task = plan().tiles[i];
        const Step& s = plan().steps[task.step];
        if (!s.is_trained) continue;
        tile_gradient(task, count, gradient, task.tile.tile.columns, gradient);
        for_each_run(task.tile, task.tile.tile.columns, [&](std::size_t from, std::size_t to, std::size_t n) {
          update(s.values + from, s.trained_at + from, gradient + to, n);
        });
        if (s.packing.any) replicate_all(plan(), task);
      }
    });
  }

  run_pass(plan().tiles.size(), count * plan().sizes.sample_work, [&](std::size_t number, int worker) {
    const TileTask& task = plan().tiles[number];
    const Step& s = plan().steps[task.step];
    if (!s.is_trained) return;
    tile_gradient(task, count, gradients_.data() + s.trained_at + task.tile.at(), task.tile.row_length,
                  scratch_of(worker));
  });
  if (penalizes_) penalty_ = penalties_.evaluate(kernels_, gradients_.data());
  if (with_update) update_all();
}

// From all gradients.
void Network::update_all() {
  if (rules_.any()) {
    if (!apply_rules() && penalties_.empty()) return;
  } else {
    optimizer_->begin(iterations + 1);
    for (const UpdateRun& run : updates_) update(run.values, run.at, gradients_.data() + run.at, run.floats);
  }
  if (penalizes_) penalties_.constrain();
  for (const TileTask& task : plan().tiles)
    if (const Step& s = plan().steps[task.step]; s.is_trained && s.packing.any) replicate_all(plan(), task);
}

std::size_t Network::train(const Samples& samples, double seconds, Sums& sums) {
  refresh(samples.x, false);
  check_targets(samples);
  require(optimizer_ != nullptr, "an optimizer");
  require(has_loss(), "a loss");
  check_sums(sums);
  const std::size_t most = std::min(samples.batch_size, samples.stop - samples.start),
                    rest = (samples.stop - samples.start) % samples.batch_size;
  if (!is_fused(most) || !is_fused(rest ? rest : most)) gradients_.grow(trained_.size);
  struct AtEnd {
    Network& network;
    ~AtEnd() { network.mark_trained(); }
  } const at_end{*this};
  const float* rate = samples.rates;
  return for_batches(samples, seconds, threads_for_training(samples), sample_cost(),
                     [&](std::size_t position, std::size_t count) {
                       check_order(samples, position, position + count);
                       if (rate) optimizer_->learning_rate = *rate++;
                       sample_pass(samples, position, count, true);
                       parameter_pass(count, true);
                       move_state();
                       ++iterations;
                       add_metrics(samples, count, sums);
                     });
}

double Network::gradients(const Samples& samples, Sums* sums) {
  refresh(samples.x, false);
  check_targets(samples);
  require(has_loss(), "a loss");
  if (sums) check_sums(*sums);
  const std::size_t count = samples.stop - samples.start;
  check_order(samples, samples.start, samples.stop);
  gradients_.grow(trained_.size);
  with_team(threads_for_training(samples), [&] {
    sample_pass(samples, samples.start, count, true);
    parameter_pass(count, false);
  });
  if (sums) {
    keep_statistics();
    add_metrics(samples, count, *sums);
  }
  return batch_loss(count) + (penalizes_ ? penalties(count) : 0.0);
}

void Network::backward(float* const* dx, const float* const* dy, const Samples& samples) {
  refresh(samples.x, false);
  const std::size_t count = samples.stop - samples.start;
  gradients_.grow(trained_.size);
  if (count == 0) return gradients_.zero();
  with_team(threads_for_training(samples), [&] {
    sample_pass(samples, samples.start, count, true, dy);
    parameter_pass(count, false);
  });
  for (std::size_t i = 0; i < plan().inputs.size(); ++i) {
    const Storage& s = plan().storages[i];
    std::copy_n(arena_.data() + s.gradient, count * s.size, dx[i]);
  }
}

// Forward, the activations that objectives have taken over left out. Values stay in scratch.
void Network::infer_chunk(const Samples& s, std::size_t position, std::size_t count, float* scratch) {
  const Plan& p = inference();
  float *values = scratch + p.sizes.layer_scratch, *layer_scratch = scratch + aligned(kernels_.gemm_scratch);
  for (std::size_t i = 0; i < p.inputs.size(); ++i)
    s.x[i].read(values + p.infer_values.at(i), s.order, position, count);
  for (const Step& step : p.steps) {
    if (!step.inference.runs()) continue;
    std::array<const float*, kMostInputs> xs;
    const std::size_t inputs = step.inference.in.size();
    for (std::size_t i = 0; i < inputs; ++i) xs[i] = values + p.infer_values.at(step.inference.in[i]);
    step.layer->forward({.kernels = kernels_,
                         .samples = count,
                         .first = 0,
                         .key = 0,
                         .parameters = step.values,
                         .replica = p.replica.data() + step.packing.at,
                         .scratch = layer_scratch,
                         .gemm_scratch = scratch,
                         .kept = nullptr,
                         .x = xs[0],
                         .y = values + p.infer_values.at(step.inference.out),
                         .xs = xs.data()});
  }
}

// Calls body(first, count, values) for each chunk of a batch after its inference.
template <class Body>
void Network::infer_batch(const Samples& s, std::size_t start, std::size_t count, Body body) {
  const std::size_t size = inference_chunk(count), chunks = (count + size - 1) / size;
  inference().infer_values.fit(size);
  lay_out_scratch(team_size(), inference().sizes.layer_scratch + inference().infer_values.size());
  run_pass(chunks, count * inference().sizes.sample_work, [&](std::size_t task, int worker) {
    const std::size_t first = task * size, n = std::min(size, count - first);
    infer_chunk(s, start + first, n, scratch_of(worker));
    body(first, n, scratch_of(worker) + inference().sizes.layer_scratch);
  });
}

std::size_t Network::test(const Samples& samples, double seconds, Sums& sums) {
  refresh(samples.x, true);
  check_targets(samples);
  require(has_loss() || std::ranges::any_of(program_->objectives, &Objective::has_metrics), "a loss");
  check_sums(sums);
  penalty_ = penalties_.evaluate(kernels_, nullptr);
  return for_batches(
      samples, seconds, threads_for_inference(samples), sample_cost(),
      [&](std::size_t position, std::size_t count) {
        read_targets(samples, position, count);
        infer_batch(samples, position, count, [&](std::size_t first, std::size_t n, const float* values) {
          for (std::size_t o = 0; o < inference().outputs.size(); ++o) {
            const float* const y = values + inference().infer_values.at(inference().outputs[o].infer_storage);
            if (o < judged_.size())
              evaluate_chunk(samples, o, y, nullptr, first, n, 1.0f);
            else
              penalize_chunk(o, y, nullptr, first, n, 1.0f);
          }
        });
        add_metrics(samples, count, sums);
      });
}

std::size_t Network::predict(float* const* out, const Samples& samples, double seconds) {
  refresh(samples.x, true);
  return for_batches(
      samples, seconds, threads_for_inference(samples), sample_cost(),
      [&](std::size_t position, std::size_t count) {
        infer_batch(samples, position, count, [&](std::size_t first, std::size_t n, const float* values) {
          for (std::size_t o = 0; o < judged_.size(); ++o) {
            const std::size_t storage = inference().outputs[o].infer_storage;
            write_output(o, out[o] + (position + first) * inference().infer_storages[storage].size,
                         values + inference().infer_values.at(storage), n);
          }
        });
      });
}

void Network::forward(float* const* out, const Samples& samples) {
  refresh(samples.x, false);
  const std::size_t count = samples.stop - samples.start;
  with_team(threads_for_training(samples), [&] { sample_pass(samples, samples.start, count, false); });
  move_state();
  if (plan().stages.size() > 1) mark_trained();
  for (std::size_t o = 0; o < judged_.size(); ++o)
    write_output(o, out[o], value_at(plan().outputs[o].storage, 0), count);
}

// Through the last activation, where the objective has it.
void Network::write_output(std::size_t output, float* to, const float* y, std::size_t count) const {
  const Objective& objective = program_->objectives[output];
  const std::size_t size = plan().storages[plan().outputs[output].storage].size;
  if (const ActivationFunction& last = objective.activation(); last.is_linear())
    std::copy_n(y, count * size, to);
  else
    last.forward(kernels_, to, y, count * objective.rows(), size / objective.rows());
}

}  // namespace nncore

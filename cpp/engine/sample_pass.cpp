// Pass 1 of a training step: each chunk of samples runs forward through all steps, through the loss and
// backward. A step with BatchStatistics begins a new stage: all chunks finish a stage before any begins the
// next, in both directions. How the batch is cut depends on shapes alone.
#include <algorithm>
#include <array>

#include "../runtime/parallel.hpp"
#include "../runtime/random.hpp"
#include "batches.hpp"
#include "network.hpp"

namespace nncore {

std::size_t Network::training_chunk(const Stage& stage, std::size_t batch) const {
  return chunk_size(stage.sample_floats, 2 * stage.parameters, batch, batch * stage.sample_work * 2,
                    stage.least_samples);
}

// Offsets change before the memory is there, so the old capacity is given up first.
void Network::lay_out_arena(std::size_t batch) {
  if (batch > plan().arena_batch) {
    plan().arena_batch = 0;
    std::vector<std::size_t> chunks;  // of each stage, the most of any batch of up to this size
    for (const Stage& stage : plan().stages) {
      std::size_t& most = chunks.emplace_back(0);
      for (std::size_t count = 1; plan().sums_chunks() && count <= batch; ++count) {
        const std::size_t size = training_chunk(stage, count);
        most = std::max(most, (count + size - 1) / size);
      }
    }
    plan().arena_floats = plan().lay_out_training(batch, chunks);
  }
  memory_.arena.reserve(plan().arena_floats);
  plan().arena_batch = std::max(batch, plan().arena_batch);
}

float* Network::gradient_at(const Plan& p, std::size_t storage, std::size_t first, float* scratch) {
  const Storage& s = p.storages[storage];
  if (!s.needs_gradient) return nullptr;
  if (s.lasting) return memory_.arena.data() + s.gradient + first * s.size;
  return scratch + p.sizes.layer_scratch + p.gradients.at(storage);
}

Chunk Network::chunk(const Plan& p, const Step& s, std::size_t first, std::size_t count, float* scratch) {
  const Storage &in = p.storages[s.training.in[0]], &out = p.storages[s.training.out];
  float* a = memory_.arena.data();
  float* const dz = gradient_at(p, s.training.out, first, scratch);
  return {.kernels = kernels_,
          .samples = count,
          .first = first,
          .key = unmixed_key(step_key_, s.call),
          .training = true,
          .parameters = s.values,
          .packed = p.packed.data() + s.packing.at,
          .scratch = scratch + aligned(kernels_.gemm_scratch),
          .gemm_scratch = scratch,
          .saved = a + s.saved.activations + first * s.saved.activations_size,
          .x = a + in.value + first * in.size,
          .y = a + out.value + first * out.size,
          .dy = dz,
          .dz = dz,
          .dx = gradient_at(p, s.training.in[0], first, scratch),
          .gradient = s.saved.sums_size
                          ? a + s.saved.sums + first / p.stages[s.stage].chunk_size * s.saved.sums_size
                          : nullptr,
          .statistics = s.statistics ? a + s.saved.statistics : nullptr,
          .step = iterations,
          .refusals = &refusals_};
}

// Runs `summarize` of a step with BatchStatistics on a chunk: forward at the end of the stage before the
// step, backward at the beginning of the step's own stage.
template <class Summarize>
void Network::summarize_chunk(const Step& s, const Stage& stage, Chunk& c, Summarize summarize) {
  c.partial =
      memory_.arena.data() + s.saved.partials + c.first / stage.chunk_size * s.statistics->partial_floats();
  (s.statistics->*summarize)(c);
}

// The partial statistics of the chunks of a stage.
Partials Network::partials(const Step& s, const Stage& stage, std::size_t count) {
  return {.samples = count,
          .chunk_size = stage.chunk_size,
          .chunks = stage.chunks(count),
          .first = memory_.arena.data() + s.saved.partials,
          .stride = s.statistics->partial_floats(),
          .parameters = s.values,
          .statistics = memory_.arena.data() + s.saved.statistics};
}

void Network::forward_chunk(const Plan& p, const Stage& stage, std::size_t first, std::size_t count,
                            float* scratch) {
  const std::vector<Step>& steps = p.steps;
  for (std::size_t number = stage.first; number < stage.last; ++number) {
    const Step& s = steps[number];
    if (!s.training.runs()) continue;
    Chunk c = chunk(p, s, first, count, scratch);
    std::array<const float*, kMostInputs> xs;
    c.xs = &c.x;
    if (s.training.in.size() > 1) {
      for (std::size_t i = 0; i < s.training.in.size(); ++i) xs[i] = value_at(p, s.training.in[i], first);
      c.xs = xs.data();
    }
    s.layer->forward(c);
  }
}

// If other readers have written a gradient, the layer writes to scratch, and the result is added.
void Network::backward_chunk(const Plan& p, const Stage& stage, std::size_t first, std::size_t count,
                             float* scratch) {
  // A step with statistics, the first of the next stage, runs backward in this one.
  const std::vector<Step>& steps = p.steps;
  for (std::size_t number = std::min(stage.last + 1, steps.size()); number-- > stage.first;) {
    const Step& s = steps[number];
    if (!s.training.runs() || (number == stage.last && !s.statistics)) continue;
    Chunk c = chunk(p, s, first, count, scratch);
    if (!c.dy && (s.layer->traits().has_slope || !c.dx)) continue;
    if (s.statistics && &p.stages[s.stage] == &stage) {
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
    float* added = scratch + p.sizes.layer_scratch + p.gradients.size();
    for (std::size_t i = 0; i < s.training.in.size(); ++i) {
      xs[i] = value_at(p, s.training.in[i], first);
      dxs[i] = gradient_at(p, s.training.in[i], first, scratch);
      if (!s.adds[i]) continue;
      dxs[i] = added;
      added += aligned(count * p.storages[s.training.in[i]].size);
    }
    c.xs = xs.data();
    c.dxs = dxs.data();
    c.dx = dxs[0];
    s.layer->backward(c);
    for (std::size_t i = 0; i < s.training.in.size(); ++i)
      if (s.adds[i])
        kernels_.add(gradient_at(p, s.training.in[i], first, scratch), dxs[i],
                     count * p.storages[s.training.in[i]].size);
  }
}

// Calls body(first, count, scratch) for the chunks of a stage.
template <class Body>
void Network::for_chunks(const Stage& stage, std::size_t count, Body body) {
  const std::size_t size = stage.chunk_size;
  run_pass(stage.chunks(count), count * stage.sample_work * 2, [&](std::size_t task, int worker) {
    body(task * size, std::min(size, count - task * size), memory_.scratch_of(worker));
  });
}

// Computes losses and metrics of some samples, and the gradients of the outputs: of the losses, or else dy.
inline void Network::judge_chunk(const Samples& s, std::size_t first, std::size_t n, float* scratch,
                                 std::size_t count, const float* const* dy) {
  const Plan& p = plan();
  for (std::size_t o = 0; o < judged_.size(); ++o) {
    const Output& output = p.outputs[o];
    float* const gradient = gradient_at(p, output.storage, first, scratch);
    float* const own = output.adds ? scratch + p.sizes.layer_scratch + p.gradients.size() : gradient;
    if (s.out)
      write_output(o, s.out[o] + first * p.storages[output.storage].size, value_at(p, output.storage, first),
                   n);
    if (const std::size_t size = p.storages[output.storage].size; dy && gradient)
      std::copy_n(dy[o] + first * size, n * size, own);
    else
      evaluate_chunk(s, o, value_at(p, output.storage, first),
                     output.mask == kNoMask ? nullptr : value_at(p, output.mask, first), own, first, n,
                     static_cast<float>(judged_[o].weight) / static_cast<float>(count));
    if (output.adds && gradient) kernels_.add(gradient, own, n * p.storages[output.storage].size);
  }
  if (!penalizes_) return;
  for (std::size_t o = judged_.size(); o < p.outputs.size(); ++o) {
    const std::size_t storage = p.outputs[o].storage;
    penalize_chunk(o, value_at(p, storage, first), gradient_at(p, storage, first, scratch), first, n,
                   1.0f / static_cast<float>(count));
  }
}

// goes_back: also runs backward, from the losses or, if dy is not null, from these gradients of the outputs.
void Network::sample_pass(const Samples& s, std::size_t start, std::size_t count, bool goes_back,
                          const float* const* dy) {
  Plan& p = plan();
  if (count != p.chunked_batch) {
    p.chunked_batch = 0;
    p.most_samples = 0;
    for (Stage& stage : p.stages)
      p.most_samples = std::max(p.most_samples, stage.chunk_size = training_chunk(stage, count));
    p.gradients.fit(p.most_samples);
    lay_out_arena(count);
    p.chunked_batch = count;
  }
  memory_.arena.reserve(p.arena_floats);
  refusals_.take();
  step_key_ = key_of_step(seed, iterations);
  if (goes_back && !dy) read_targets(s, start, count);
  memory_.lay_out_scratch(team_size(), std::max(p.sizes.layer_scratch + p.gradients.size() +
                                                    checked_floats(p.most_samples, p.sizes.most_added),
                                                p.sizes.tile_scratch));
  const std::size_t last = p.stages.size() - 1;
  for (std::size_t number = 0; number <= last; ++number) {
    const Stage& stage = p.stages[number];
    for_chunks(stage, count, [&](std::size_t first, std::size_t n, float* scratch) {
      for (std::size_t i = 0; number == 0 && i < p.inputs.size(); ++i)
        s.x[i].read(memory_.arena.data() + p.storages[i].value + first * p.storages[i].size, s.order,
                    start + first, n);
      forward_chunk(p, stage, first, n, scratch);
      if (const Step* const next = p.barrier(stage)) {
        Chunk c = chunk(p, *next, first, n, scratch);
        return summarize_chunk(*next, stage, c, &BatchStatistics::summarize);
      }
      if (!goes_back || number < last) return;
      judge_chunk(s, first, n, scratch, count, dy);
      if (p.goes_back) backward_chunk(p, stage, first, n, scratch);
    });
    throw_if_refused(s, start);
    if (number == p.mask_stage && goes_back && !dy) count_rows(s, count);
    if (const Step* const next = p.barrier(stage)) next->statistics->combine(partials(*next, stage, count));
  }
  for (std::size_t number = last; goes_back && p.goes_back && number-- > 0;) {
    if (!p.stages[number].goes_back) continue;
    if (const Step* const next = p.barrier(p.stages[number]);
        next && p.storages[next->training.out].needs_gradient)
      next->statistics->combine_backward(partials(*next, p.stages[number + 1], count));
    for_chunks(p.stages[number], count, [&](std::size_t first, std::size_t n, float* scratch) {
      backward_chunk(p, p.stages[number], first, n, scratch);
    });
  }
}

}  // namespace nncore

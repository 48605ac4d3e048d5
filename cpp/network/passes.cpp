// The two passes of a training step, and the one pass of evaluation and prediction.
//
// Pass 1 cuts the batch into chunks of samples, and carries each forward through all steps, through the loss
// and back. Pass 2 cuts the parameters into tiles, makes the gradient of each over the whole batch, and
// updates it. How both are cut depends on shapes alone, and what chunks have summed is added in their order,
// so results do not depend on the number of threads.
#include <algorithm>

#include "../layers/long_sum.hpp"
#include "../runtime/parallel.hpp"
#include "../runtime/random.hpp"
#include "batches.hpp"
#include "network.hpp"

namespace nncore {

int Network::threads_for_training(const Samples& s) const {
  const std::size_t batch = std::min(s.batch_size, s.stop - s.start);
  return batch * sample_work_ * 2 < kTeamWork ? 1 : get_num_threads();
}

// There is nothing to share when a batch is one chunk.
int Network::threads_for_inference(const Samples& s) const {
  const std::size_t batch = std::min(s.batch_size, s.stop - s.start);
  return batch * sample_work_ < kTeamWork || inference_chunk(batch) == batch ? 1 : get_num_threads();
}

std::size_t Network::inference_chunk(std::size_t batch) const {
  return chunk_size(2 * widest_, flat_size_, batch, batch * sample_work_);
}

std::size_t Network::training_chunk(std::size_t batch) const {
  return chunk_size(sample_floats_, 2 * flat_size_, batch, batch * sample_work_ * 2);
}

// The places change before the memory is there, so the old capacity is given up first.
void Network::lay_out_arena(std::size_t batch) {
  if (batch <= arena_batch_) return;
  arena_batch_ = 0;
  const bool sums =
      std::any_of(memory_.begin(), memory_.end(), [](const StepMemory& m) { return m.sums_size > 0; });
  std::size_t chunks = 0;  // the most of any batch up to this one
  for (std::size_t count = 1; sums && count <= batch; ++count) {
    const std::size_t size = training_chunk(count);
    chunks = std::max(chunks, (count + size - 1) / size);
  }
  Layout layout;
  for (Boundary& b : boundaries_) {
    b.value = layout.place(batch, b.size);
    if (b.lasting) b.gradient = layout.place(batch, b.size);
  }
  for (StepMemory& m : memory_) {
    m.kept = layout.place(batch, m.kept_size);
    m.sums = layout.place(chunks, m.sums_size);
  }
  arena_.reserve(layout.size());
  arena_batch_ = batch;
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

// Those that do not last take turns in two places.
float* Network::gradient_at(std::size_t boundary, std::size_t first, float* scratch) {
  const Boundary& b = boundaries_[boundary];
  if (!b.needs_gradient) return nullptr;
  if (b.lasting) return arena_.data() + b.gradient + first * b.size;
  return scratch + layer_scratch_ + boundary % 2 * passing_slot_;
}

Chunk Network::chunk(std::size_t step, std::size_t first, std::size_t count, float* scratch) {
  const StepMemory& m = memory_[step];
  const Boundary &in = boundaries_[m.in], &out = boundaries_[m.out];
  const Step& s = plan_->steps()[step];
  float* a = arena_.data();
  return {.kernels = kernels_,
          .samples = count,
          .first = first,
          .key = key_of_layer(step_key_, s.spec),
          .parameters = m.values,
          .replica = replica_.data() + m.replica,
          .scratch = scratch + aligned(kernels_.gemm_scratch),
          .gemm_scratch = scratch,
          .kept = a + m.kept + first * m.kept_size,
          .x = a + in.value + first * in.size,
          .y = a + out.value + first * out.size,
          .dy = gradient_at(m.out, first, scratch),
          .dz = gradient_at(m.out, first, scratch),
          .dx = gradient_at(m.in, first, scratch),
          .gradient = m.sums_size ? a + m.sums + first / chunk_size_ * m.sums_size : nullptr};
}

void Network::forward_chunk(std::size_t first, std::size_t count, float* scratch) {
  for (std::size_t i = 0; i < memory_.size(); ++i)
    if (memory_[i].in != memory_[i].out) plan_->steps()[i].layer->forward(chunk(i, first, count, scratch));
}

void Network::backward_chunk(std::size_t first, std::size_t count, float* scratch) {
  for (std::size_t i = memory_.size(); i-- > 0;) {
    if (memory_[i].in == memory_[i].out) continue;
    const Chunk c = chunk(i, first, count, scratch);
    if (c.dy) plan_->steps()[i].layer->backward(c);
  }
}

Objective::Result Network::result_at(std::size_t first) {
  float* r = results_.data();
  const std::size_t rows = objective_->rows();
  const std::size_t outputs = objective_->activation().is_linear() ? 0 : size_of(output_);
  return {r + value_ + first * rows,
          r + scale_ + first * rows,
          r + activation_ + first * outputs,
          r + loss_ + first,
          r + mean_ + first,
          r + code_,
          results_batch_,
          first};
}

// Pass 1; forward only without a loss.
void Network::sample_pass(const Samples& s, std::size_t start, std::size_t count, bool with_loss) {
  if (count != chunked_batch_) {
    chunked_batch_ = 0;
    chunk_size_ = training_chunk(count);
    passing_slot_ = aligned(checked_floats(passing_, chunk_size_));
    lay_out_arena(count);
    chunked_batch_ = count;
  }
  const std::size_t work = count * sample_work_ * 2, size = chunk_size_, chunks = (count + size - 1) / size;
  step_key_ = key_of_step(seed, iterations);
  if (with_loss) read_targets(s, start, count);
  lay_out_scratch(team_size(), std::max(layer_scratch_ + 2 * passing_slot_,
                                        aligned(tile_floats_) + gradient_scratch(kernels_, tile_floats_)));
  const Boundary &in = boundaries_.front(), &out = boundaries_.back();
  float* a = arena_.data();
  run_pass(chunks, work, [&](std::size_t task, int worker) {
    const std::size_t first = task * size, n = std::min(size, count - first);
    float* scratch = scratch_of(worker);
    s.x->read(a + in.value + first * in.size, s.order, start + first, n);
    forward_chunk(first, n, scratch);
    if (!with_loss) return;
    float* gradient = gradient_at(boundaries_.size() - 1, first, scratch);
    objective_->evaluate(kernels_, result_at(first), gradient, a + out.value + first * out.size,
                         results_.data() + target_ + first * objective_->target_size(),
                         s.weight ? results_.data() + weight_ + first : nullptr,
                         1.0f / static_cast<float>(count), n);
    if (gradient) backward_chunk(first, n, scratch);
  });
}

// The gradient of a tile, whose rows are then `row` floats apart.
void Network::tile_gradient(const TileTask& task, std::size_t count, float* gradient, std::size_t row,
                            float* scratch) {
  const auto& [number, t] = task;
  const StepMemory& m = memory_[number];
  const float* a = arena_.data();
  if (m.sums_size == 0)
    return plan_->steps()[number].layer->gradient({.kernels = kernels_,
                                                   .samples = count,
                                                   .kept = a + m.kept,
                                                   .x = a + boundaries_[m.in].value,
                                                   .dy = a + boundaries_[m.out].gradient,
                                                   .gradient = gradient,
                                                   .gradient_row = row,
                                                   .scratch = scratch + aligned(tile_floats_)},
                                                  t.tile);
  const std::size_t chunks = (count + chunk_size_ - 1) / chunk_size_;
  for_each_run(t, row, [&](std::size_t from, std::size_t to, std::size_t n) {
    add_chunks(kernels_, gradient + to, a + m.sums + from, m.sums_size, chunks, n);
  });
}

// n values whose moments lie from `at` on.
void Network::update(float* values, std::size_t at, const float* gradient, std::size_t n) {
  float* moment[kMostMoments] = {};
  for (std::size_t i = 0; i < moments_.size(); ++i) moment[i] = moments_[i].data() + at;
  optimizer_->update(kernels_, values, moment, gradient, n);
}

// With less work there is too little to share, and with more a stop would have to wait too long for the end.
bool Network::is_fused(std::size_t count) const {
  constexpr std::size_t kLong = std::size_t{1} << 32;
  const std::size_t work = count * sample_work_;
  return work >= kTeamWork && work < kLong;
}

// Pass 2. A tile's gradient is used at once and never leaves the worker's scratch, unless there is too little
// to share, where parameters side by side are updated in one run, or so much that the call may be stopped
// before the first update, or the gradient is what is wanted.
void Network::parameter_pass(std::size_t count, bool with_update) {
  if (with_update) optimizer_->begin(iterations + 1);
  if (with_update && is_fused(count)) {
    const Unstoppable whole;
    return parallel_for(runs_.size() - 1, [&](std::size_t run, int worker) {
      float* const gradient = scratch_of(worker);
      for (std::size_t i = runs_[run]; i < runs_[run + 1]; ++i) {
        const auto& [number, t] = tiles_[i];
        const StepMemory& m = memory_[number];
        if (!m.trained) continue;
        tile_gradient(tiles_[i], count, gradient, t.tile.columns, gradient);
        for_each_run(t, t.tile.columns, [&](std::size_t from, std::size_t to, std::size_t n) {
          update(m.values + from, m.trained_at + from, gradient + to, n);
        });
        replicate(number, t.tile);
      }
    });
  }

  run_pass(tiles_.size(), count * sample_work_, [&](std::size_t task, int worker) {
    const auto& [number, t] = tiles_[task];
    if (!memory_[number].trained) return;
    tile_gradient(tiles_[task], count, gradients_.data() + memory_[number].trained_at + t.at(), t.row_length,
                  scratch_of(worker));
  });
  if (!with_update) return;
  for (const UpdateRun& run : updates_) update(run.values, run.at, gradients_.data() + run.at, run.floats);
  for (const auto& [number, t] : tiles_)
    if (memory_[number].trained) replicate(number, t.tile);
}

std::size_t Network::train(const Samples& samples, double seconds, Sums& sums) {
  refresh();
  require(optimizer_ != nullptr, "an optimizer");
  require(objective_->has_loss(), "a loss");
  check_sums(sums);
  const std::size_t most = std::min(samples.batch_size, samples.stop - samples.start),
                    rest = (samples.stop - samples.start) % samples.batch_size;
  if (!is_fused(most) || !is_fused(rest ? rest : most)) gradients_.grow(trained_.size);
  struct AtEnd {
    Network& network;
    ~AtEnd() { network.mark_trained(); }
  } const at_end{*this};
  return for_batches(samples, seconds, threads_for_training(samples), sample_cost(),
                     [&](std::size_t position, std::size_t count) {
                       check_order(samples, position, position + count);
                       sample_pass(samples, position, count, true);
                       parameter_pass(count, true);
                       ++iterations;
                       add_metrics(samples, count, sums);
                     });
}

double Network::gradients(const Samples& samples) {
  refresh();
  require(objective_->has_loss(), "a loss");
  const std::size_t count = samples.stop - samples.start;
  gradients_.grow(trained_.size);
  with_team(threads_for_training(samples), [&] {
    sample_pass(samples, samples.start, count, true);
    parameter_pass(count, false);
  });
  return batch_loss(count);
}

// Forward through two buffers in turn; the last activation included. The result stays in scratch.
const float* Network::infer_chunk(const Samples& s, std::size_t position, std::size_t count, float* scratch) {
  const std::size_t size = aligned(widest_ * count);
  float *x = scratch, *y = scratch + size, *layer_scratch = scratch + 2 * size;
  s.x->read(x, s.order, position, count);
  for (std::size_t i = 0; i < memory_.size(); ++i) {
    const Step& step = plan_->steps()[i];
    if (step.layer->is_view_at_inference()) continue;
    step.layer->forward({.kernels = kernels_,
                         .samples = count,
                         .first = 0,
                         .key = 0,
                         .parameters = memory_[i].values,
                         .replica = replica_.data() + memory_[i].replica,
                         .scratch = layer_scratch + aligned(kernels_.gemm_scratch),
                         .gemm_scratch = layer_scratch,
                         .kept = nullptr,
                         .x = x,
                         .y = y});
    std::swap(x, y);
  }
  return x;
}

void Network::test_pass(const Samples& s, std::size_t start, std::size_t count) {
  const std::size_t size = inference_chunk(count), chunks = (count + size - 1) / size;
  read_targets(s, start, count);
  lay_out_scratch(team_size(), 2 * aligned(checked_floats(widest_, size)) + layer_scratch_);
  run_pass(chunks, count * sample_work_, [&](std::size_t task, int worker) {
    const std::size_t first = task * size, n = std::min(size, count - first);
    const float* y = infer_chunk(s, start + first, n, scratch_of(worker));
    objective_->evaluate(kernels_, result_at(first), nullptr, y,
                         results_.data() + target_ + first * objective_->target_size(),
                         s.weight ? results_.data() + weight_ + first : nullptr, 1.0f, n);
  });
}

std::size_t Network::test(const Samples& samples, double seconds, Sums& sums) {
  refresh();
  require(objective_->has_loss() || objective_->has_metrics(), "a loss");
  check_sums(sums);
  return for_batches(samples, seconds, threads_for_inference(samples), sample_cost(),
                     [&](std::size_t position, std::size_t count) {
                       test_pass(samples, position, count);
                       add_metrics(samples, count, sums);
                     });
}

std::size_t Network::predict(float* out, const Samples& samples, double seconds) {
  refresh();
  const std::size_t outputs = size_of(output_);
  return for_batches(
      samples, seconds, threads_for_inference(samples), sample_cost(),
      [&](std::size_t position, std::size_t count) {
        const std::size_t size = inference_chunk(count), chunks = (count + size - 1) / size;
        lay_out_scratch(team_size(), 2 * aligned(checked_floats(widest_, size)) + layer_scratch_);
        run_pass(chunks, count * sample_work_, [&](std::size_t task, int worker) {
          const std::size_t first = task * size, n = std::min(size, count - first);
          const float* y = infer_chunk(samples, position + first, n, scratch_of(worker));
          float* to = out + (position + first) * outputs;
          const ActivationFunction& last = objective_->activation();
          if (last.is_linear())
            std::copy_n(y, n * outputs, to);
          else
            last.forward(kernels_, to, y, n * objective_->rows(), outputs / objective_->rows());
        });
      });
}

void Network::forward(float* out, const Samples& samples) {
  refresh();
  const std::size_t count = samples.stop - samples.start, outputs = size_of(output_);
  with_team(threads_for_training(samples), [&] { sample_pass(samples, samples.start, count, false); });
  const float* y = arena_.data() + boundaries_.back().value;
  if (const ActivationFunction& last = objective_->activation(); last.is_linear())
    std::copy_n(y, count * outputs, out);
  else
    last.forward(kernels_, out, y, count * objective_->rows(), outputs / objective_->rows());
}

}  // namespace nncore

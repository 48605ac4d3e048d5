// Pass 2 of a training step: for each tile of the parameters, the gradient over the whole batch and the
// update. Sums of chunks are added in their order, so results do not depend on the number of threads.
#include <algorithm>

#include "../layers/long_sum.hpp"
#include "../runtime/parallel.hpp"
#include "batches.hpp"
#include "network.hpp"

namespace nncore {

// Writes the gradient of a tile, whose rows are `row` floats apart: summed over the calls of a layer, in
// order.
void Network::tile_gradient(const Plan& p, const TileTask& task, std::size_t count, float* gradient,
                            std::size_t row, float* scratch) {
  const Step* s = &p.steps[task.step];
  const ParameterTile& t = task.tile;
  step_gradient(p, *s, t, count, gradient, row, scratch + aligned(p.sizes.tile_floats));
  while (s->next) {
    s = &p.steps[s->next];
    float* const other = scratch + aligned(p.sizes.tile_floats);
    step_gradient(p, *s, t, count, other, t.tile.columns, other + aligned(p.sizes.tile_floats));
    for (std::size_t r = 0; r < t.tile.rows; ++r)
      kernels_.add(gradient + r * row, other + r * t.tile.columns, t.tile.columns);
  }
}

void Network::step_gradient(const Plan& p, const Step& s, const ParameterTile& t, std::size_t count,
                            float* gradient, std::size_t row, float* scratch) {
  const float* a = memory_.arena.data();
  if (s.saved.sums_size == 0)
    return s.layer->gradient({.kernels = kernels_,
                              .samples = count,
                              .saved = a + s.saved.activations,
                              .x = a + p.storages[s.training.in[0]].value,
                              .dy = a + p.storages[s.training.out].gradient,
                              .gradient = gradient,
                              .gradient_row = row,
                              .scratch = scratch,
                              .statistics = s.statistics ? a + s.saved.statistics : nullptr},
                             t.tile);
  const std::size_t chunks = p.stages[s.stage].chunks(count);
  for_each_run(t, row, [&](std::size_t from, std::size_t to, std::size_t n) {
    add_chunks(kernels_, gradient + to, a + s.saved.sums + from, s.saved.sums_size, chunks, n);
  });
}

// Updates n values whose moments begin at offset `at`.
void Network::update(float* values, std::size_t at, const float* gradient, std::size_t n, bool decays) {
  float* moment[kMostMoments] = {};
  for (std::size_t i = 0; i < weights_.moments.size(); ++i) moment[i] = weights_.moments[i].data() + at;
  optimizer_->update(kernels_, values, moment, gradient, n, decays);
}

// With less work there is too little to share; with more, a stop would wait too long. Penalties and
// constraints need all gradients and weights.
bool Network::is_fused(std::size_t count) const {
  constexpr std::size_t kLong = std::size_t{1} << 32;
  const std::size_t work = count * plan().sizes.sample_work + plan().sizes.table_work;
  return work >= kTeamWork && work < kLong && !updates_by_pieces();
}

// Before the gradients of tiles that are computed over the whole batch.
void Network::before_gradients(std::size_t count) {
  float* const a = memory_.arena.data();
  for (const Step& s : plan().steps)
    if (s.is_trained && s.saved.sums_size == 0)
      s.layer->before_gradient(count, a + plan().storages[s.training.in[0]].value, a + s.saved.activations);
}

// If is_fused, the gradient of a tile is used at once and stays in the worker's scratch. Else all gradients
// are computed first, and contiguous parameters are updated in one run.
void Network::parameter_pass(std::size_t count, bool with_update) {
  before_gradients(count);
  if (with_update && is_fused(count)) {
    optimizer_->begin(iterations + 1);
    const Unstoppable whole;
    return parallel_for(plan().runs.size() - 1, [&](std::size_t run, int worker) {
      float* const gradient = memory_.scratch_of(worker);
      for (std::size_t i = plan().runs[run]; i < plan().runs[run + 1]; ++i) {
        const TileTask& task = plan().tiles[i];
        const Step& s = plan().steps[task.step];
        if (!s.is_trained) continue;
        tile_gradient(plan(), task, count, gradient, task.tile.tile.columns, gradient);
        for_each_run(task.tile, task.tile.tile.columns, [&](std::size_t from, std::size_t to, std::size_t n) {
          update(s.values + from, s.trained_at + from, gradient + to, n);
        });
        if (s.packing.any) pack_all(plan(), task);
      }
    });
  }

  run_pass(plan().tiles.size(), count * plan().sizes.sample_work + plan().sizes.table_work,
           [&](std::size_t number, int worker) {
             const TileTask& task = plan().tiles[number];
             const Step& s = plan().steps[task.step];
             if (!s.is_trained) return;
             tile_gradient(plan(), task, count, weights_.gradients.data() + s.trained_at + task.tile.at(),
                           task.tile.row_length, memory_.scratch_of(worker));
           });
  if (penalizes_) penalty_ = penalties_.evaluate(kernels_, weights_.gradients.data());
  if (with_update) update_all();
}

// Updates all parameters from Weights::gradients.
void Network::update_all() {
  const auto pack = [&](const TileTask& task) {
    if (const Step& s = plan().steps[task.step]; s.is_trained && s.packing.any) pack_all(plan(), task);
  };
  if (updates_by_pieces()) {
    const Unstoppable whole;
    if (!apply_rules() && penalties_.empty()) return;
    penalties_.constrain();
    return run_pass(plan().tiles.size(), weights_.trained().size * kRuleWork,
                    [&](std::size_t number, int) { pack(plan().tiles[number]); });
  }
  optimizer_->begin(iterations + 1);
  for (const UpdateRun& run : weights_.runs())
    update(run.values, run.at, weights_.gradients.data() + run.at, run.floats);
  if (plan().packed.size() == 0) return;
  for (const TileTask& task : plan().tiles) pack(task);
}

}  // namespace nncore

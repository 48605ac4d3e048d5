// A network of one call on the user's arrays: it reads samples and writes results in place, and the
// parameters are arguments of the call.
#include <algorithm>

#include "../runtime/random.hpp"
#include "array_chunks.hpp"
#include "batches.hpp"
#include "network.hpp"

namespace nncore {
namespace {

// Cuts the samples into chunks. Sums over chunks depend on the cut, so it depends on shapes alone.
void cut(Stage& stage, const Shape& sample, std::size_t samples, RowCost cost, bool sums) {
  constexpr std::size_t kImageAxes = 3, kLeastReuse = 8, kShares = 4;
  const bool images = sample.size() == kImageAxes;
  const std::size_t columns = cost.columns;
  if (!images && cost.parameters > 0) cost.columns = 0;
  stage.chunk_size = std::max(rows_in_chunk(samples, cost), stage.least_samples);
  if (!sums && samples * cost.work >= kTeamWork)
    stage.chunk_size =
        std::min(stage.chunk_size, std::max({rows_in_chunk(samples, cost, kLeastReuse),
                                             (samples + kShares - 1) / kShares, stage.least_samples}));
  // The last samples are a chunk of their own if that costs less than copying a chunk to add slack behind it.
  const bool apart = images || (!sums && stage.chunk_size * columns > cost.parameters);
  const std::size_t step = line_step(cost.columns);  // at most chunk_size
  stage.apart = apart ? samples - (samples - 1) / step * step : 0;
}

// Calls body(first, count, task, worker) for all chunks.
template <class Body>
void for_cut(const Stage& stage, std::size_t samples, std::size_t work, Body body) {
  const std::size_t even = samples - stage.apart;
  run_pass(stage.chunks(samples), samples * work, [&](std::size_t task, int worker) {
    const std::size_t first = std::min(task * stage.chunk_size, even);
    body(first, first < even ? std::min(stage.chunk_size, even - first) : stage.apart, task, worker);
  });
}

}  // namespace

// Copies the parameters of the call and brings packed weights up to date.
void Network::load(const ArrayCall& call) {
  Variables& v = weights_.of(0);
  for (std::size_t i = 0; i < v.list().size(); ++i)
    if (v.list()[i].transposed || v.list()[i].is_state) v.copy_in(v.data(), call.parameters[i], i);
  if (v.floats() > 0) v.changed();
  if (const Store& now = weights_.store().current(); now.version != plan().seen_version)
    catch_up(plan(), now, call.parameters.data());
  step_key_ = key_of_step(seed = call.seed, 0);
}

int Network::threads_for(const ArrayCall& call, std::size_t work) const {
  return call.samples * work + weights_.of(0).floats() * kCopyWork < kTeamWork ? 1 : get_num_threads();
}

void Network::forward(const ArrayCall& call, float* y, bool training) {
  if (!programs_.current()) use(graph_.inputs);
  Plan& p = plan();
  const Step& s = p.steps[0];
  const std::size_t in = p.storages[0].size, out = size_of(s.layer->output()), work = p.sizes.sample_work;
  const float* const end = call.x + call.samples * in;
  with_team(threads_for(call, work), [&] {
    load(call);
    if (const Source x(call.x, call.samples, p.inputs[0]); training && s.statistics)
      return forward(&y,
                     {.x = &x, .stop = call.samples, .batch_size = std::max<std::size_t>(1, call.samples)});
    cut(p.stages[0], p.inputs[0], call.samples, {in, in + out, work, weights_.of(0).floats()}, false);
    memory_.arena.reserve(0);
    memory_.lay_out_scratch(team_size(), p.sizes.layer_scratch + checked_floats(p.stages[0].chunk_size, in));
    for_cut(p.stages[0], call.samples, work,
            [&](std::size_t first, std::size_t count, std::size_t, int worker) {
              const float* const x = call.x + first * in;
              if (!(training ? s.training : s.inference).runs())
                return static_cast<void>(std::copy_n(x, count * in, y + first * out));
              Chunk c = chunk(p, s, first, count, memory_.scratch_of(worker));
              c.x = with_slack(x, count * in, end, memory_.scratch_of(worker) + p.sizes.layer_scratch);
              c.xs = &c.x;
              c.y = y + first * out;
              c.saved = nullptr;
              c.training = training;
              s.layer->forward(c);
            });
    if (refusals_.any()) throw_refused(refusals_.sample());
  });
}

void Network::backward(const ArrayCall& call, const float* dy, float* dx,
                       const std::vector<float*>& gradients) {
  if (!programs_.current()) use(graph_.inputs);
  Plan& p = plan();
  Stage& stage = p.stages[0];
  Step& s = p.steps[0];
  const Variables& v = weights_.of(0);
  Storage &from = p.storages[0], &to = p.storages[s.training.out];
  const std::size_t count = call.samples, in = from.size, out = to.size, work = 2 * p.sizes.sample_work;
  s.packing.for_forward = s.layer->traits().writes_dz;  // if `save` computes the output
  const float *const x_end = call.x + count * in, *const dy_end = dy + count * out;
  with_team(threads_for(call, work), [&] {
    load(call);
    if (s.statistics) {
      const Source x(call.x, count, p.inputs[0]);
      backward(&dx, &dy, {.x = &x, .stop = count, .batch_size = std::max<std::size_t>(1, count)});
      for (std::size_t i = 0; i < gradients.size(); ++i)
        v.copy_out(gradients[i], weights_.gradients.data(), i);
      return;
    }
    // Chunk sums are written and read again.
    constexpr std::size_t kSums = 6;
    const bool sums = s.saved.sums_size > 0, whole = s.is_trained && !sums;
    cut(stage, p.inputs[0], count,
        {in, 2 * (in + out) + s.saved.activations_size, work, v.floats() * (sums ? kSums : 1)}, sums);
    // The arena holds what the gradients of the parameters read.
    Layout layout, room;
    from.value = layout.place(whole ? count : 0, in);
    to.gradient = layout.place(whole ? count : 0, out);
    s.saved.activations = layout.place(count, s.saved.activations_size);
    s.saved.sums = layout.place(stage.chunks(count), s.saved.sums_size);
    memory_.arena.reserve(layout.size());
    const std::size_t x_room = room.place(whole ? 0 : stage.chunk_size, in) + p.sizes.layer_scratch,
                      dy_room = room.place(whole ? 0 : stage.chunk_size, out) + p.sizes.layer_scratch,
                      y_room = room.place(stage.chunk_size, out) + p.sizes.layer_scratch;
    memory_.lay_out_scratch(team_size(), std::max(p.sizes.layer_scratch + room.size(), p.sizes.tile_scratch));

    for_cut(stage, count, work, [&](std::size_t first, std::size_t n, std::size_t task, int worker) {
      float* const scratch = memory_.scratch_of(worker);
      const float *const x = call.x + first * in, *const slope = dy + first * out;
      if (!s.training.runs()) return static_cast<void>(std::copy_n(slope, n * out, dx + first * in));
      Chunk c = chunk(p, s, first, n, scratch);
      if (whole) {
        std::copy_n(x, n * in, memory_.arena.data() + from.value + first * in);
      } else {
        c.x = with_slack(x, n * in, x_end, scratch + x_room);
        c.dz = scratch + dy_room;
        c.dy = with_slack(slope, n * out, dy_end, c.dz);
      }
      if (whole || (s.layer->traits().writes_dz && c.dy != c.dz))
        c.dy = std::copy_n(slope, n * out, c.dz) - n * out;
      c.y = scratch + y_room;
      c.dx = dx + first * in;
      c.xs = &c.x;
      c.dxs = &c.dx;
      if (sums) c.gradient = memory_.arena.data() + s.saved.sums + task * s.saved.sums_size;
      s.layer->save(c);
      s.layer->backward(c);
    });
    if (refusals_.any()) throw_refused(refusals_.sample());
    if (whole)
      s.layer->before_gradient(count, memory_.arena.data() + from.value,
                               memory_.arena.data() + s.saved.activations);

    const auto is_turned = [&](std::size_t i) { return v.list()[i].transposed; };
    if (std::ranges::any_of(v.list(), &Parameter::transposed))
      weights_.gradients.grow(weights_.trained().size);
    run_pass(p.tiles.size(), count * p.sizes.sample_work, [&](std::size_t number, int worker) {
      const ParameterTile& t = p.tiles[number].tile;
      const std::size_t i = t.tile.parameter;
      float* const gradient = is_turned(i) ? weights_.gradients.data() + t.start : gradients[i];
      tile_gradient(p, p.tiles[number], count, gradient + (t.at() - t.start), t.row_length,
                    memory_.scratch_of(worker));
    });
    for (std::size_t i = 0; i < gradients.size(); ++i)
      if (is_turned(i)) v.copy_out(gradients[i], weights_.gradients.data(), i);
  });
}

std::size_t Network::floats() const {
  const Buffer* const all[] = {&memory_.arena, &memory_.scratch, &memory_.results, &weights_.gradients,
                               &plan().packed};
  std::size_t sum = weights_.of(0).floats();
  for (const Buffer* b : all) sum += b->size();
  return sum;
}

}  // namespace nncore

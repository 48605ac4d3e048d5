#include "one_layer.hpp"

#include <algorithm>

#include "../graph/parameters.hpp"
#include "../kernels/dispatch.hpp"
#include "../layers/long_sum.hpp"
#include "../runtime/random.hpp"
#include "../runtime/workspace.hpp"
#include "chunks.hpp"

namespace nncore {
namespace {

// The parameters of a layer between the user's arrays and the flat form in which the layer reads them.
class Parameters {
 public:
  explicit Parameters(const Layer& layer) : list_(layer.parameters()), tiles_(tiles_of(layer)) {
    for (std::size_t i = 0; i < list_.size(); ++i) {
      starts_.push_back(floats_);
      floats_ += size_of(list_[i].shape);
      constexpr std::size_t kPieceFloats = 32 * 1024;
      const std::size_t rows = size_of(list_[i].shape) / columns(i);
      const std::size_t step = std::max<std::size_t>(1, kPieceFloats / columns(i));
      for (std::size_t row = 0; row < rows; row += step)
        pieces_.push_back({i, row, std::min(step, rows - row)});
      if (i == 0) first_pieces_ = pieces_.size();
    }
  }

  std::size_t floats() const { return floats_; }
  const std::vector<ParameterTile>& tiles() const { return tiles_; }

  void gather(float* flat, const std::vector<const float*>& users, bool without_first) const {
    const std::size_t first = without_first ? first_pieces_ : 0;
    parallel_for(pieces_.size() - first, [&](std::size_t task, int) {
      const auto [i, row, rows] = pieces_[first + task];
      const float* from = users[i] + row * columns(i);
      if (list_[i].transposed)
        transpose(flat + starts_[i] + row, list_[i].columns(), from, columns(i), rows, columns(i));
      else
        std::copy_n(from, rows * columns(i), flat + starts_[i] + row * columns(i));
    });
  }
  bool is_turned(std::size_t i) const { return list_[i].transposed; }
  bool any_turned() const {
    return std::ranges::any_of(list_, [](const Parameter& p) { return p.transposed; });
  }
  void scatter(const std::vector<float*>& users, const float* flat, bool turned_alone) const {
    parallel_for(pieces_.size(), [&](std::size_t task, int) {
      const auto [i, row, rows] = pieces_[task];
      if (turned_alone && !is_turned(i)) return;
      float* to = users[i] + row * columns(i);
      if (list_[i].transposed)
        transpose(to, columns(i), flat + starts_[i] + row, list_[i].columns(), columns(i), rows);
      else
        std::copy_n(flat + starts_[i] + row * columns(i), rows * columns(i), to);
    });
  }

 private:
  struct Piece {
    std::size_t parameter, row, rows;  // in the user's layout
  };
  std::size_t columns(std::size_t i) const { return list_[i].shape.back(); }

  std::vector<Parameter> list_;
  std::vector<ParameterTile> tiles_;
  std::vector<std::size_t> starts_;
  std::vector<Piece> pieces_;
  std::size_t floats_ = 0, first_pieces_ = 0;  // pieces of the first parameter
};

// The flat parameters and their replica.
struct Held {
  Workspace values, replica;

  Held(const Kernels& k, const LayerCall& call, const Parameters& parameters, Readers readers,
       bool unpacked = false) {
    if (parameters.floats() == 0) return;
    values = borrow_floats(parameters.floats());
    const bool in_place = call.layer.reads_replica_alone(k);
    parameters.gather(values.get(), call.parameters, in_place);
    if (unpacked) return;
    replica = borrow_floats(call.layer.replica(k, readers.dx));
    parallel_for(parameters.tiles().size(), [&](std::size_t task, int) {
      const Tile& tile = parameters.tiles()[task].tile;
      const float* from = in_place && tile.parameter == 0 ? call.parameters[0] : values.get();
      call.layer.replicate(k, replica.get(), from, tile, readers);
    });
  }
};

void copy_samples(const LayerCall& call, float* to, const float* from) {
  const std::size_t size = size_of(call.layer.input());
  const Cut cut(call.samples, {size, 2 * size, size});
  with_team(cut.threads(), [&] {
    for_each_chunk(cut, [&](std::size_t first, std::size_t count, int) {
      std::copy_n(from + first * size, count * size, to + first * size);
    });
  });
}

// The first of `count` runs of `size` floats becomes their sum.
void add_up(const Kernels& k, float* sums, std::size_t size, std::size_t count) {
  constexpr std::size_t kPiece = 8 * 1024;
  parallel_for((size + kPiece - 1) / kPiece, [&](std::size_t task, int) {
    const std::size_t first = task * kPiece, n = std::min(kPiece, size - first);
    add_chunks(k, sums + first, sums + first, size, count, n);
  });
}

std::uint64_t key_of(const LayerCall& call) { return unmixed_key(key_of_step(call.seed, 0), 0); }

}  // namespace

void layer_forward(const LayerCall& call, bool training, float* y) {
  const Layer& layer = call.layer;
  const std::size_t in = size_of(layer.input()), out = size_of(layer.output());
  if (call.samples * out == 0) return;
  if (training ? layer.traits().is_view : layer.traits().is_view_at_inference)
    return copy_samples(call, y, call.x);

  call.layer.prepare();
  const Kernels& k = active_kernels();
  const Parameters parameters(layer);
  const Cut cut(call.samples,
                {layer.traits().reads_past_x ? in : 0, in + out, layer.traits().work, parameters.floats()});
  // Where there are few chunks: so many tasks, parts of them, for some threads to share.
  constexpr std::size_t kTasks = 8;
  const std::size_t parts = std::clamp<std::size_t>(kTasks / cut.chunks(), 1, layer.traits().forward_parts);
  const Readable x(call.x, cut, in);
  const bool unpacked = layer.reads_unpacked(k, call.samples);
  with_team(cut.threads(), [&] {
    const Held held(k, call, parameters, {.forward = true, .dx = false}, unpacked);
    Layout layout;
    const std::size_t products = layout.place(k.gemm_scratch, 1),
                      own_scratch = layout.place(layer.traits().scratch, 1);
    const std::size_t kept = layout.place(training ? cut.largest() : 0, layer.traits().kept);
    const std::size_t own = layout.size() + kSlack;
    const Workspace scratch = borrow_floats(checked_floats(static_cast<std::size_t>(team_size()), own));
    parallel_for(cut.chunks() * parts, [&](std::size_t task, int worker) {
      const std::size_t first = cut.first(task / parts);
      float* mine = scratch.get() + static_cast<std::size_t>(worker) * own;
      layer.forward({.kernels = k,
                     .samples = cut.count(task / parts),
                     .first = first,
                     .key = key_of(call),
                     .parameters = held.values.get(),
                     .replica = unpacked ? call.parameters[0] : held.replica.get(),
                     .scratch = mine + own_scratch,
                     .gemm_scratch = mine + products,
                     .kept = training ? mine + kept : nullptr,
                     .x = x.row(first),
                     .y = y + first * out,
                     .unpacked = unpacked,
                     .part = task % parts,
                     .parts = parts});
    });
  });
}

void layer_backward(const LayerCall& call, const float* dy, float* dx, const std::vector<float*>& gradients) {
  const Layer& layer = call.layer;
  const std::size_t in = size_of(layer.input()), out = size_of(layer.output());
  if (call.samples * in == 0) {
    for (std::size_t i = 0; i < gradients.size(); ++i)
      std::fill_n(gradients[i], size_of(layer.parameters()[i].shape), 0.0f);
    return;
  }
  if (layer.traits().is_view) return copy_samples(call, dx, dy);

  call.layer.prepare();
  const Kernels& k = active_kernels();
  const Parameters parameters(layer);
  // Gradients of parameters are made of the whole batch, or of what its chunks sum. Otherwise nothing
  // outlives its chunk.
  const bool by_chunk = parameters.floats() > 0 && layer.traits().sums_by_chunk;
  const bool whole = parameters.floats() > 0 && !by_chunk;
  // x lies in one piece for the whole batch: copied, where room behind it is needed.
  const bool copies_x = whole && layer.traits().reads_past_x;
  // What a chunk sums is written and read again.
  constexpr std::size_t kSums = 6;
  const std::size_t read = parameters.floats() * (by_chunk ? kSums : 1);
  const Cut cut(call.samples, {!whole && layer.traits().reads_past_x ? in : 0,
                               2 * (in + out) + layer.traits().kept, 2 * layer.traits().work, read});
  const Readable x(call.x, cut, in);
  with_team(cut.threads(), [&] {
    const Held held(k, call, parameters, {.forward = layer.traits().keep_reads_replica, .dx = true});
    const Workspace sums = borrow_floats(by_chunk ? checked_floats(cut.chunks(), parameters.floats()) : 0);
    Layout layout, batch;
    const std::size_t products = layout.place(k.gemm_scratch, 1),
                      own_scratch = layout.place(layer.traits().scratch, 1);
    const std::size_t y = layout.place(cut.largest(), out);
    Layout& lasting = whole ? batch : layout;
    const std::size_t rows = whole ? cut.rows() : cut.largest();
    const std::size_t kept = lasting.place(rows, layer.traits().kept), dz = lasting.place(rows, out),
                      copy = lasting.place(copies_x ? rows : 0, in);
    const std::size_t own = layout.size() + kSlack;
    const Workspace scratch = borrow_floats(checked_floats(static_cast<std::size_t>(team_size()), own));
    const Workspace lasting_memory = borrow_floats(batch.size());

    for_each_chunk(cut, [&](std::size_t first, std::size_t count, int worker) {
      float* mine = scratch.get() + static_cast<std::size_t>(worker) * own;
      float* memory = whole ? lasting_memory.get() : mine;
      const std::size_t row = whole ? first : 0;
      const float *x_from = x.row(first), *dy_from = dy + first * out;
      if (copies_x) x_from = std::copy_n(x_from, count * in, memory + copy + row * in) - count * in;
      const bool is_near_end = (call.samples - first - count) * out < kSlack;
      if (is_near_end || (whole && !layer.traits().writes_dz))
        dy_from = std::copy_n(dy_from, count * out, memory + dz + row * out) - count * out;
      const Chunk chunk{
          .kernels = k,
          .samples = count,
          .first = first,
          .key = key_of(call),
          .parameters = held.values.get(),
          .replica = held.replica.get(),
          .scratch = mine + own_scratch,
          .gemm_scratch = mine + products,
          .kept = memory + kept + row * layer.traits().kept,
          .x = x_from,
          .y = mine + y,
          .dy = dy_from,
          .dz = memory + dz + row * out,
          .dx = dx + first * in,
          .gradient = by_chunk ? sums.get() + cut.chunk_of(first) * parameters.floats() : nullptr};
      layer.keep(chunk);
      layer.backward(chunk);
    });
    if (by_chunk) {
      add_up(k, sums.get(), parameters.floats(), cut.chunks());
      parameters.scatter(gradients, sums.get(), false);
    }
    if (!whole) return;

    std::size_t largest = 0;
    for (const ParameterTile& t : parameters.tiles()) largest = std::max(largest, t.floats());
    const std::size_t each = gradient_scratch(k, largest);
    const Workspace sum = borrow_floats(checked_floats(static_cast<std::size_t>(team_size()), each));
    const Workspace turned = borrow_floats(parameters.any_turned() ? parameters.floats() : 0);
    parallel_for(parameters.tiles().size(), [&](std::size_t task, int worker) {
      const float* memory = lasting_memory.get();
      const ParameterTile& t = parameters.tiles()[task];
      const std::size_t i = t.tile.parameter;
      layer.gradient(
          {.kernels = k,
           .samples = call.samples,
           .kept = memory + kept,
           .x = copies_x ? memory + copy : call.x,
           .dy = memory + dz,
           .gradient = parameters.is_turned(i) ? turned.get() + t.at() : gradients[i] + (t.at() - t.start),
           .gradient_row = t.row_length,
           .scratch = sum.get() + static_cast<std::size_t>(worker) * each},
          t.tile);
    });
    parameters.scatter(gradients, turned.get(), true);
  });
}

}  // namespace nncore

#include "recurrent.hpp"

#include <algorithm>

#include "../runtime/random.hpp"
#include "long_sum.hpp"

namespace nncore {
namespace {

// h of each step from x (steps, in), or the last h. kernel (in, gates * units), recurrent_kernel (units,
// gates * units), bias (gates * units), or (2, gates * units) for a GRU that resets after its product.
// Further inputs: a mask (steps), and a state (states, units): h, and c of an LSTM, before the first step,
// else 0. A layer that returns its state has the state after the last step as the first rows of its output.
//
// In training the records of all steps are saved, and gradients of the parameters are products over all
// records. At inference the records of one step are in scratch.
class Recurrent final : public Layer {
 public:
  Recurrent(const std::vector<Shape>& inputs, const RecurrentSettings& s)
      : Layer(inputs[0], recurrent_output(inputs[0][0], s)),
        mask_(index_of_rank(inputs, 1)),
        state_(index_of_rank(inputs, 2)),
        steps_(input()[0]),
        in_(input()[1]),
        units_(s.units),
        set_(s),
        record_(s, in_),
        columns_(record_.columns) {
    traits_ = {.work = steps_ * columns_ * (in_ + units_),
               .saved = steps_ * record_.size,
               .scratch = kRows * (3 * units_ + in_ + record_.size) + kGateScratch * units_,
               .least_samples = kLeastRows};
  }

  std::vector<Parameter> parameters() const override {
    std::vector<Parameter> all = {{"kernel", {in_, columns_}}, {"recurrent_kernel", {units_, columns_}}};
    if (set_.use_bias) all.push_back({"bias", record_.part ? Shape{2, columns_} : Shape{columns_}});
    return all;
  }

  void forward(const Chunk& c) const override {
    for_rows(c, [&](const Rows& r) { forward_rows(c, r); });
  }
  void backward(const Chunk& c) const override {
    if (mask_ > 0 && c.dxs[mask_]) std::fill_n(c.dxs[mask_], c.samples * steps_, 0.0f);
    for_rows(c, [&](const Rows& r) { backward_rows(c, r); });
  }

  Shape tile_shape(std::size_t parameter) const override {
    if (parameter == 2) return {1, columns_};
    return {kPanels, 2 * kPanels};
  }

  void gradient(const Batch& b, const Tile& t) const override {
    const std::size_t rows = b.samples * steps_;
    if (t.parameter == 2)
      return b.kernels.column_sums(b.gradient, b.saved + t.row * record_.part + t.column, rows, t.columns,
                                   record_.size);
    std::vector<Part> const& parts = t.parameter == 0 ? record_.of_x : record_.of_h;
    sum_rows(b, t, rows, kRunRows, [&](std::size_t first, std::size_t count, float* to, std::size_t to_row) {
      const auto add = [&](const Part& p) {
        const std::size_t from = std::max(p.column, t.column),
                          last = std::min(p.column + p.columns, t.column + t.columns);
        if (from >= last) return;
        const std::size_t a_row = p.slot == kInput ? in_ : record_.size,
                          z = t.parameter == 1 ? record_.part : 0;
        b.kernels.gemm(
            {.c = {to + from - t.column, to_row},
             .a = {(p.slot == kInput ? b.x : b.saved + p.slot) + first * a_row + t.row, 1, offset(a_row)},
             .b = {b.saved + first * record_.size + z + from, record_.size, b.kernels.panel},
             .size = {t.rows, last - from, count},
             .scratch = b.scratch});
      };
      for (const Part& p : parts) add(p);
      if (t.parameter == 1 && has_reset()) add(record_.reset);
    });
  }

  // The kernels in panels, then the transposed recurrent kernel and, if backward reads it, kernel.
  std::size_t packed_size(const Kernels& k, bool for_dx) const override {
    return in_panels(k, in_, columns_) + in_panels(k, units_, columns_) + in_panels(k, columns_, units_) +
           (for_dx ? in_panels(k, columns_, in_) : 0);
  }
  void pack(const Kernels& k, float* packed, const float* parameters, const Tile& t,
            Readers readers) const override {
    if (t.parameter == 2) return;
    const Weights w = weights(k, t.parameter);
    const float* const from = parameters + w.at + t.row * columns_ + t.column;
    k.pack(packed + w.packed + t.column * w.rows + t.row * k.panel, w.rows * k.panel, from, t.rows, t.columns,
           columns_);
    if (t.parameter == 1 || readers.dx)
      k.pack_transposed(packed + w.transposed + t.row * columns_ + t.column * k.panel, columns_ * k.panel,
                        from, t.columns, t.rows, columns_);
  }

 private:
  // The place of the mask or the state among the inputs, 0 if there is none.
  static std::size_t index_of_rank(const std::vector<Shape>& inputs, std::size_t rank) {
    for (std::size_t i = 1; i < inputs.size(); ++i)
      if (inputs[i].size() == rank) return i;
    return 0;
  }

  static constexpr std::size_t kRows = 32;       // samples that run through the steps together
  static constexpr std::size_t kLeastRows = 16;  // fewer leave the tiles of products empty

  // A kernel: its offset and rows, and the offsets of its packed weights.
  struct Weights {
    std::size_t at, rows, packed, transposed;
  };
  Weights weights(const Kernels& k, std::size_t parameter) const {
    const std::size_t first = in_panels(k, in_, columns_), second = first + in_panels(k, units_, columns_);
    if (parameter == 1) return {in_ * columns_, units_, first, second};
    return {0, in_, 0, second + in_panels(k, columns_, units_)};
  }

  // Samples of a chunk from `first` on, and their scratch.
  struct Rows {
    std::size_t first, count;
    float *h, *c, *other, *room, *records;
  };
  template <class Body>
  void for_rows(const Chunk& c, Body body) const {
    float* const h = c.scratch;
    float* const other = h + 2 * kRows * units_;
    float* const room = other + kRows * (units_ + in_);
    for (std::size_t first = 0; first < c.samples; first += kRows) {
      const std::size_t count = std::min(kRows, c.samples - first);
      std::fill_n(h, 2 * kRows * units_, 0.0f);
      body({first, count, h, h + kRows * units_, other, room, room + kGateScratch * units_});
    }
  }

  // Copies between h and c of rows and an array of states whose samples are `stride` floats apart.
  void load_state(const Rows& r, const float* from, std::size_t stride) const {
    for (std::size_t i = 0; i < r.count; ++i, from += stride) {
      std::copy_n(from, units_, r.h + i * units_);
      if (states(set_) > 1) std::copy_n(from + units_, units_, r.c + i * units_);
    }
  }
  void store_state(const Rows& r, float* to, std::size_t stride) const {
    for (std::size_t i = 0; i < r.count; ++i, to += stride) {
      std::copy_n(r.h + i * units_, units_, to);
      if (states(set_) > 1) std::copy_n(r.c + i * units_, units_, to + units_);
    }
  }
  std::size_t state_size() const { return states(set_) * units_; }
  // Where the outputs of the steps begin in a sample of the output.
  std::size_t lead() const { return set_.returns_state ? state_size() : 0; }

  void forward_rows(const Chunk& c, const Rows& r) const {
    if (state_ > 0) load_state(r, c.xs[state_] + r.first * state_size(), state_size());
    if (c.saved)
      multiply_inputs(c, r, saved_at(c, r, 0), record_.size, c.x + r.first * input_size(), in_,
                      r.count * steps_, steps_);
    for (std::size_t step = 0; step < steps_; ++step) {
      const std::size_t time = set_.backwards ? steps_ - 1 - step : step;
      float* const record = c.saved ? saved_at(c, r, time) : r.records;
      const std::size_t stride = c.saved ? saved() : record_.size;
      if (!c.saved)
        multiply_inputs(c, r, record, stride, c.x + r.first * input_size() + time * in_, input_size(),
                        r.count, 1);
      remember(c, r, record, stride);
      for (const Part& p : record_.of_h) multiply_state(c, r, record, stride, p);
      const RecurrentStep s = step_of(c, r, record, stride, time);
      if (set_.cell == Cell::simple_rnn) {
        open(c.kernels, s);
      } else if (set_.cell == Cell::lstm) {
        c.kernels.lstm(s);
      } else {
        c.kernels.gru_reset(s);
        if (has_reset()) multiply_state(c, r, record, stride, record_.reset);
        c.kernels.gru_mix(s);
      }
      for (std::size_t i = 0; set_.sequences && i < r.count; ++i)
        if (float* const y = c.y + (r.first + i) * output_size() + lead() + place(step) * units_; hides(s, i))
          std::fill_n(y, units_, 0.0f);
        else
          std::copy_n(r.h + i * units_, units_, y);
    }
    if (set_.returns_state)
      store_state(r, c.y + r.first * output_size(), output_size());
    else if (!set_.sequences)
      std::copy_n(r.h, r.count * units_, c.y + r.first * units_);
  }

  // The place of a step among the outputs.
  std::size_t place(std::size_t step) const {
    return set_.joined && set_.backwards ? steps_ - 1 - step : step;
  }
  // Whether the output of a step is 0, as the mask hides it.
  bool hides(const RecurrentStep& s, std::size_t i) const {
    return set_.joined && set_.sequences && s.mask && s.mask[i * s.mask_stride] == 0.0f;
  }

  // dh and dc are in r.h and r.c.
  void backward_rows(const Chunk& c, const Rows& r) const {
    float* const dstate = state_ > 0 ? c.dxs[state_] : nullptr;
    const bool reads_last = !set_.sequences && !set_.returns_state;
    if (set_.returns_state) load_state(r, c.dy + r.first * output_size(), output_size());
    for (std::size_t step = steps_; step-- > 0;) {
      const std::size_t time = set_.backwards ? steps_ - 1 - step : step;
      float* const record = saved_at(c, r, time);
      const RecurrentStep s = step_of(c, r, record, saved(), time);
      for (std::size_t i = 0; (set_.sequences || (reads_last && step + 1 == steps_)) && i < r.count; ++i)
        if (!hides(s, i))
          c.kernels.add(
              r.h + i * units_,
              c.dy + (r.first + i) * output_size() + lead() + (set_.sequences ? place(step) * units_ : 0),
              units_);
      if (set_.cell == Cell::simple_rnn) {
        close(c.kernels, s);
      } else if (set_.cell == Cell::lstm) {
        c.kernels.lstm_backward(s);
      } else {
        c.kernels.gru_mix_backward(s);
        if (has_reset()) {
          multiply_back(c, r.c, units_, record + record_.reset.column, saved(), 1, record_.reset, r.count,
                        false);
          c.kernels.gru_reset_backward(s);
          add_dropped(c, r, r.c, record_.reset);
        } else {
          c.kernels.gru_reset_backward(s);
        }
      }
      for (std::size_t i = 0; (step > 0 || dstate) && i < record_.of_h.size(); ++i) {
        const Part& p = record_.of_h[i];
        const bool drops = set_.recurrent_dropout > 0;
        multiply_back(c, drops ? r.other : r.h, units_, record + record_.part + p.column, saved(), 1, p,
                      r.count, !drops);
        if (drops) add_dropped(c, r, r.other, p);
      }
      if (c.dx && set_.dropout > 0) dropped_dx(c, r, record, time);
    }
    if (dstate) store_state(r, dstate + r.first * state_size(), state_size());
    if (c.dx && set_.dropout == 0)
      multiply_back(c, c.dx + r.first * input_size(), in_, saved_at(c, r, 0), record_.size, 0,
                    record_.of_x[0], r.count * steps_, false);
  }

  // dx of a step, whose parts have a mask each.
  void dropped_dx(const Chunk& c, const Rows& r, const float* record, std::size_t time) const {
    for (const Part& p : record_.of_x) {
      multiply_back(c, r.other, in_, record + p.column, saved(), 0, p, r.count, false);
      for (std::size_t i = 0; i < r.count; ++i) {
        float *const part = r.other + i * in_, *const dx = c.dx + (r.first + i) * input_size() + time * in_;
        drop(c, part, part, p, r.first + i, in_, set_.dropout);
        if (p.column == 0)
          std::copy_n(part, in_, dx);
        else
          c.kernels.add(dx, part, in_);
      }
    }
  }

  // dh += d (rows, units), dropped out as the rows of the part were.
  void add_dropped(const Chunk& c, const Rows& r, float* d, const Part& p) const {
    for (std::size_t i = 0; set_.recurrent_dropout > 0 && i < r.count; ++i)
      drop(c, d + i * units_, d + i * units_, p, r.first + i, units_, set_.recurrent_dropout);
    c.kernels.add(r.h, d, r.count * units_);
  }

  // z = x @ kernel + bias of m rows, `each` of every sample.
  void multiply_inputs(const Chunk& c, const Rows& r, float* record, std::size_t stride, const float* x,
                       std::size_t x_row, std::size_t m, std::size_t each) const {
    for (const Part& p : record_.of_x) {
      const bool drops = c.training && p.slot != kInput;
      for (std::size_t i = 0; drops && i < m; ++i)
        drop(c, record + i * stride + p.slot, x + i * x_row, p, r.first + i / each, in_, set_.dropout);
      multiply(c, record + p.column, drops ? record + p.slot : x, drops ? stride : x_row, stride, 0, p, m,
               bias(c, 0), false);
    }
  }
  // z += state @ recurrent_kernel, or the recurrent part of z = that product + bias.
  void multiply_state(const Chunk& c, const Rows& r, float* record, std::size_t stride, const Part& p) const {
    multiply(c, record + record_.part + p.column, record + p.slot, stride, stride, 1, p, r.count,
             record_.part ? bias(c, columns_) : nullptr, record_.part == 0);
  }
  const float* bias(const Chunk& c, std::size_t at) const {
    return set_.use_bias ? c.parameters + (in_ + units_) * columns_ + at : nullptr;
  }

  // to (m, columns of the part) = [to +] a @ these columns of a kernel [+ bias]
  void multiply(const Chunk& c, float* to, const float* a, std::size_t a_row, std::size_t to_row,
                std::size_t parameter, const Part& p, std::size_t m, const float* bias,
                bool accumulate) const {
    const std::size_t panel = c.kernels.panel;
    const Weights w = weights(c.kernels, parameter);
    const bool is_packed = p.column % panel == 0;
    c.kernels.gemm(
        {.c = {to, to_row},
         .a = {a, offset(a_row)},
         .b = {is_packed ? c.packed + w.packed + p.column * w.rows : c.parameters + w.at + p.column,
               is_packed ? panel : columns_, is_packed ? w.rows * panel : panel},
         .bias = bias ? bias + p.column : nullptr,
         .size = {m, p.columns, w.rows},
         .accumulate = accumulate,
         .scratch = c.gemm_scratch});
  }
  // to (m, rows of the kernel) = [to +] dz @ the transpose of these columns
  void multiply_back(const Chunk& c, float* to, std::size_t to_row, const float* dz, std::size_t dz_row,
                     std::size_t parameter, const Part& p, std::size_t m, bool accumulate) const {
    const std::size_t panel = c.kernels.panel;
    const Weights w = weights(c.kernels, parameter);
    c.kernels.gemm({.c = {to, to_row},
                    .a = {dz, offset(dz_row)},
                    .b = {c.packed + w.transposed + p.column * panel, panel, columns_ * panel},
                    .size = {m, w.rows, p.columns},
                    .accumulate = accumulate,
                    .scratch = c.gemm_scratch});
  }

  // Writes the state before a step, and the rows that the recurrent kernel multiplies, to the records.
  void remember(const Chunk& c, const Rows& r, float* record, std::size_t stride) const {
    for (std::size_t i = 0; i < r.count; ++i, record += stride) {
      const float* const h = r.h + i * units_;
      std::copy_n(set_.cell == Cell::lstm ? r.c + i * units_ : h, units_, record + record_.state);
      for (const Part& p : record_.copies)
        if (c.training && set_.recurrent_dropout > 0)
          drop(c, record + p.slot, h, p, r.first + i, units_, set_.recurrent_dropout);
        else if (p.slot != record_.state)
          std::copy_n(h, units_, record + p.slot);
    }
  }

  // to (n) = x dropped out, with the same mask for all steps of a sample. Rates are below 1.
  void drop(const Chunk& c, float* to, const float* x, const Part& p, std::size_t sample, std::size_t n,
            float rate) const {
    c.kernels.dropout(to, x, mix(mix(c.key) ^ p.stream), (c.first + sample) * n, rate, n);
  }

  RecurrentStep step_of(const Chunk& c, const Rows& r, float* record, std::size_t stride,
                        std::size_t time) const {
    return {.rows = r.count,
            .units = units_,
            .stride = stride,
            .gate = gate_of(c.kernels, set_.recurrent_activation),
            .cell = gate_of(c.kernels, set_.activation),
            .x = record,
            .r = record_.part ? record + record_.part : nullptr,
            .state = record + record_.state,
            .candidate = record + record_.copies.back().slot,
            .reset = record + record_.reset.slot,
            .h = r.h,
            .c = r.c,
            .scratch = r.room,
            .mask = mask_ > 0 ? c.xs[mask_] + r.first * steps_ + time : nullptr,
            .mask_stride = steps_};
  }
  static Gate gate_of(const Kernels& k, const ActivationFunction& f) {
    return {k.activation[static_cast<std::size_t>(f.kind)], f.settings.data(), f.needs_input()};
  }

  // h = f(z) of a SimpleRNN, where z is saved if the slope reads it, else h.
  void open(const Kernels& k, const RecurrentStep& s) const {
    for (std::size_t i = 0; i < s.rows; ++i) {
      if (s.mask && s.mask[i * s.mask_stride] == 0.0f) continue;
      set_.activation.forward(k, s.h + i * units_, s.x + i * s.stride, 1, units_);
      if (!s.cell.reads_input) std::copy_n(s.h + i * units_, units_, s.x + i * s.stride);
    }
  }
  void close(const Kernels& k, const RecurrentStep& s) const {
    for (std::size_t i = 0; i < s.rows; ++i) {
      float *const z = s.x + i * s.stride, *const dh = s.h + i * units_;
      if (s.mask && s.mask[i * s.mask_stride] == 0.0f) {
        std::fill_n(z, units_, 0.0f);
        continue;
      }
      set_.activation.backward(k, z, dh, z, 1, units_);
      std::fill_n(dh, units_, 0.0f);
    }
  }

  float* saved_at(const Chunk& c, const Rows& r, std::size_t time) const {
    return c.saved + r.first * saved() + time * record_.size;
  }
  bool has_reset() const { return set_.cell == Cell::gru_before; }

  std::size_t mask_, state_;  // among the inputs, or 0
  std::size_t steps_, in_, units_;
  RecurrentSettings set_;
  Record record_;
  std::size_t columns_;
};

}  // namespace

std::unique_ptr<Layer> make_lstm(const Spec& spec, const std::vector<Shape>& inputs) {
  return std::make_unique<Recurrent>(inputs, recurrent_settings(Cell::lstm, spec, inputs));
}
std::unique_ptr<Layer> make_gru(const Spec& spec, const std::vector<Shape>& inputs) {
  const Cell cell = spec.flag("reset_after") ? Cell::gru : Cell::gru_before;
  return std::make_unique<Recurrent>(inputs, recurrent_settings(cell, spec, inputs));
}
std::unique_ptr<Layer> make_simple_rnn(const Spec& spec, const std::vector<Shape>& inputs) {
  return std::make_unique<Recurrent>(inputs, recurrent_settings(Cell::simple_rnn, spec, inputs));
}

}  // namespace nncore

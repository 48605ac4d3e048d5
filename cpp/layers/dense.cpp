#include <algorithm>

#include "../runtime/memory.hpp"
#include "activation.hpp"
#include "long_sum.hpp"

namespace nncore {
namespace {

// y = f(x @ kernel + bias) over the last axis. kernel (in, out), bias (out).
class Dense : public Layer {
 public:
  Dense(const Spec& spec, const Shape& input, Shape output)
      : Layer(input, std::move(output)),
        in_(input.back()),
        out_(this->output().back()),
        use_bias_(spec.flag("use_bias")),
        rows_(input_size() / in_),
        activation_(activation_of(spec)) {}

  std::vector<Parameter> parameters() const override {
    std::vector<Parameter> p{{"kernel", {in_, out_}, is_narrow()}};
    if (use_bias_) p.push_back({"bias", {out_}});
    return p;
  }
  std::size_t kept() const override { return activation_.needs_input() ? output_size() : 0; }
  std::size_t work() const override { return rows_ * in_ * out_; }

  void forward(const Chunk& c) const override {
    const std::size_t m = c.samples * rows_;
    float* z = activation_.needs_input() && c.kept ? c.kept : c.y;
    product(c, z, m);
    if (!activation_.is_linear()) activation_.forward(c.kernels, c.y, z, m, out_);
  }

  void keep(const Chunk& c) const override {
    if (keep_reads_replica()) forward(c);
  }
  bool keep_reads_replica() const override { return !activation_.is_linear(); }
  void backward(const Chunk& c) const override {
    const std::size_t m = c.samples * rows_;
    if (!activation_.is_linear())
      activation_.backward(c.kernels, c.dz, c.dy, activation_.needs_input() ? c.kept : c.y, m, out_);
    if (c.dx) input_gradient(c, writes_dz() ? c.dz : c.dy, m);
  }
  bool writes_dz() const override { return !activation_.is_linear(); }

  Shape tile_shape(std::size_t parameter) const override {
    return parameter == 1 ? Shape{1, out_} : kernel_tile();
  }

  void gradient(const Batch& b, const Tile& t) const override {
    const std::size_t m = b.samples * rows_;
    if (t.parameter == 1)
      b.kernels.column_sums(b.gradient, b.dy + t.column, m, t.columns, out_);
    else if (m <= kShortSum)
      kernel_gradient(b, t, m);
    else
      long_gradient(b, t, m);
  }

 protected:
  static constexpr std::size_t kTileFloats = 8192;

  std::size_t rows() const { return rows_; }
  bool is_linear() const { return activation_.is_linear(); }
  const float* bias(const Chunk& c) const { return use_bias_ ? c.parameters + in_ * out_ : nullptr; }

  virtual bool is_narrow() const = 0;
  virtual Shape kernel_tile() const = 0;
  // z (m, out) from x (m, in); dx (m, in) from dz (m, out); a tile of the kernel's gradient.
  virtual void product(const Chunk& c, float* z, std::size_t m) const = 0;
  virtual void input_gradient(const Chunk& c, const float* dz, std::size_t m) const = 0;
  virtual void kernel_gradient(const Batch& b, const Tile& t, std::size_t m) const = 0;

  std::size_t in_, out_;
  bool use_bias_;

 private:
  [[gnu::noinline]] void long_gradient(const Batch& b, const Tile& t, std::size_t m) const {
    sum_rows(b, t, m, kRunRows, [&](std::size_t first, std::size_t count, float* to, std::size_t to_row) {
      Batch run = b;
      run.x += first * in_, run.dy += first * out_, run.gradient = to, run.gradient_row = to_row;
      kernel_gradient(run, t, count);
    });
  }

  std::size_t rows_;  // of a sample
  ActivationFunction activation_;
};

// The replica holds the kernel in panels of outputs for the forward product, a number for each block of it,
// zero if the tile around the block is finite, and the kernel transposed in panels of inputs for the input
// gradient.
class WideDense final : public Dense {
 public:
  using Dense::Dense;

  std::size_t replica(const Kernels& k, bool for_dx) const override {
    return forward_replica(k) + (for_dx && !is_vector() ? (in_ + k.panel - 1) / k.panel * k.panel * out_ : 0);
  }
  std::size_t forward_parts() const override {
    constexpr std::size_t kPartBlocks = 2;
    return is_linear() ? std::max<std::size_t>(1, blocks(out_) / kPartBlocks) : 1;
  }
  bool reads_past_x() const override { return false; }
  bool reads_replica_alone(const Kernels& k) const override { return is_packed(k); }
  bool reads_unpacked(const Kernels& k, std::size_t samples) const override {
    constexpr std::size_t kFewRows = 96;
    return is_packed(k) && out_ % k.panel == 0 && samples * rows() <= kFewRows;
  }
  void replicate(const Kernels& k, float* replica, const float* parameters, const Tile& t,
                 Readers readers) const override {
    if (t.parameter == 1) return;
    const float* w = parameters + t.row * out_ + t.column;
    if (is_packed(k) && readers.forward) {
      const bool finite =
          k.pack(replica + t.column * in_ + t.row * k.panel, in_ * k.panel, w, t.rows, t.columns, out_);
      float* flags = replica + panels(k) + t.row / kPanels * blocks(out_) + t.column / kPanels;
      for (std::size_t r = 0; r < blocks(t.rows); ++r)
        std::fill_n(flags + r * blocks(out_), blocks(t.columns), finite ? 0.0f : 1.0f);
    }
    if (readers.dx && !is_vector())
      k.pack_transposed(replica + forward_replica(k) + t.row * out_ + t.column * k.panel, out_ * k.panel, w,
                        t.columns, t.rows, out_);
  }

 private:
  bool is_narrow() const override { return false; }

  // A tile begins at a block, and its columns at a panel of the replica.
  Shape kernel_tile() const override {
    constexpr std::size_t kColumns = 8 * kPanels;
    return {std::max<std::size_t>(1, kTileFloats / out_ / kPanels) * kPanels, std::min(out_, kColumns)};
  }

  void product(const Chunk& c, float* z, std::size_t m) const override {
    const std::size_t panel = c.kernels.panel, b_panel = (c.unpacked ? 1 : in_) * panel;
    const std::size_t first = blocks(out_) * c.part / c.parts * kPanels,
                      last = std::min(out_, blocks(out_) * (c.part + 1) / c.parts * kPanels);
    const float* b = is_packed(c.kernels) ? c.replica : c.parameters;
    c.kernels.gemm({.c = z + first,
                    .ldc = out_,
                    .a = c.x,
                    .a_row = offset(in_),
                    .b = b + first / panel * b_panel,
                    .b_k = is_packed(c.kernels) && !c.unpacked ? panel : out_,
                    .b_panel = b_panel,
                    .bias = use_bias_ ? bias(c) + first : nullptr,
                    .m = m,
                    .n = last - first,
                    .k = in_,
                    .b_is_finite = is_finite(c),
                    .scratch = c.gemm_scratch});
  }

  void input_gradient(const Chunk& c, const float* dz, std::size_t m) const override {
    c.kernels.gemm({.c = c.dx,
                    .ldc = in_,
                    .a = dz,
                    .a_row = offset(out_),
                    .b = is_vector() ? c.parameters : c.replica + forward_replica(c.kernels),
                    .b_k = c.kernels.panel,
                    .b_panel = out_ * c.kernels.panel,
                    .m = m,
                    .n = in_,
                    .k = out_,
                    .scratch = c.gemm_scratch});
  }

  void kernel_gradient(const Batch& b, const Tile& t, std::size_t m) const override {
    b.kernels.gemm({.c = b.gradient,
                    .ldc = b.gradient_row,
                    .a = b.x + t.row,
                    .a_row = 1,
                    .a_k = offset(in_),
                    .b = b.dy + t.column,
                    .b_k = out_,
                    .b_panel = b.kernels.panel,
                    .m = t.rows,
                    .n = t.columns,
                    .k = m,
                    .scratch = b.scratch});
  }

  // A kernel (in, 1) is its own transpose.
  bool is_vector() const { return out_ == 1; }
  // A kernel that is no wider than a panel is one as it lies.
  bool is_packed(const Kernels& k) const { return out_ > k.panel; }
  static std::size_t blocks(std::size_t n) { return (n + kPanels - 1) / kPanels; }
  std::size_t panels(const Kernels& k) const { return (out_ + k.panel - 1) / k.panel * k.panel * in_; }
  std::size_t forward_replica(const Kernels& k) const {
    return is_packed(k) ? panels(k) + aligned(blocks(in_) * blocks(out_)) : 0;
  }
  // False also where nobody has looked.
  bool is_finite(const Chunk& c) const {
    if (c.unpacked || !is_packed(c.kernels)) return false;
    const float* flags = c.replica + panels(c.kernels);
    return std::all_of(flags, flags + blocks(in_) * blocks(out_), [](float flag) { return flag == 0.0f; });
  }
};

// Few outputs of many inputs: the kernel is held as (out, in), so that all three products run along `in` with
// full vectors and need no replica.
class NarrowDense final : public Dense {
 public:
  using Dense::Dense;

  static bool fits(std::size_t in, std::size_t out) { return out <= 16 && in >= 64; }

 private:
  bool is_narrow() const override { return true; }

  Shape kernel_tile() const override { return {out_, kTileFloats / out_ / kPanels * kPanels}; }

  void product(const Chunk& c, float* z, std::size_t m) const override {
    c.kernels.narrow_product(z, c.x, c.parameters, bias(c), m, out_, in_);
  }

  void input_gradient(const Chunk& c, const float* dz, std::size_t m) const override {
    c.kernels.gemm({.c = c.dx,
                    .ldc = in_,
                    .a = dz,
                    .a_row = offset(out_),
                    .b = c.parameters,
                    .b_k = in_,
                    .b_panel = c.kernels.panel,
                    .m = m,
                    .n = in_,
                    .k = out_,
                    .scratch = c.gemm_scratch});
  }

  void kernel_gradient(const Batch& b, const Tile& t, std::size_t m) const override {
    b.kernels.gemm({.c = b.gradient,
                    .ldc = b.gradient_row,
                    .a = b.dy + t.row,
                    .a_row = 1,
                    .a_k = offset(out_),
                    .b = b.x + t.column,
                    .b_k = in_,
                    .b_panel = b.kernels.panel,
                    .m = t.rows,
                    .n = t.columns,
                    .k = m,
                    .scratch = b.scratch});
  }
};

}  // namespace

std::unique_ptr<Layer> make_dense(const Spec& spec, const Shape& input) {
  if (input.empty()) spec.fail("expected inputs with at least one feature axis, got samples of shape ()");
  if (input.back() == 0) spec.fail("an axis of the input is empty: " + to_string(input));
  Shape output = input;
  output.back() = spec.positive("units");
  if (NarrowDense::fits(input.back(), output.back()))
    return std::make_unique<NarrowDense>(spec, input, std::move(output));
  return std::make_unique<WideDense>(spec, input, std::move(output));
}

}  // namespace nncore

#include <algorithm>

#include "../runtime/memory.hpp"
#include "activation.hpp"
#include "long_sum.hpp"

namespace nncore {
namespace {

// y = f(x @ kernel + bias) over the last axis. kernel (in, out), bias (out). For attention, users may see the
// axis of inputs or of outputs in two: (heads, size).
//
// The packed weights hold the kernel in panels of outputs for the forward product, a flag for each block of
// the kernel, which is zero if the tile around the block is finite, and the transposed kernel in panels of
// inputs for the input gradient. A narrow kernel, of few outputs and many inputs, is stored as (out, in): all
// three products then run along `in` with full vectors, and nothing is packed.
class Dense final : public ActivatedLayer {
 public:
  Dense(const Spec& spec, const Shape& input, Shape output, Shape kernel, Shape bias, bool narrow)
      : ActivatedLayer(
            input, output,
            {.name = "kernel", .shape = std::move(kernel), .transposed = narrow, .units = output.back()},
            spec.flag("use_bias"), activation_of(spec), std::move(bias)),
        in_(input.back()),
        out_(filters_),
        narrow_(narrow) {
    traits_.work = rows_ * in_ * out_;
  }

  void forward(const Chunk& c) const override {
    float* const z = z_of(c, 0);
    product(c, z);
    activate(c, c.y, z, c.samples * rows_);
  }

  void backward(const Chunk& c) const override {
    const float* const dz = activation_gradient(c);
    if (!c.dx) return;
    const std::size_t panel = c.kernels.panel;
    c.kernels.gemm({.c = {c.dx, in_},
                    .a = {dz, offset(out_)},
                    .b = {is_transpose() ? c.parameters : c.packed + forward_packed_size(c.kernels),
                          narrow_ ? in_ : panel, narrow_ ? panel : out_ * panel},
                    .size = {c.samples * rows_, in_, out_},
                    .scratch = c.gemm_scratch});
  }

  // A tile begins at a block and at a panel of the packed weights.
  Shape tile_shape(std::size_t parameter) const override {
    constexpr std::size_t kFloats = 8192, kColumns = 8 * kPanels;
    if (parameter == 1) return {1, out_};
    const std::size_t across = kFloats / out_ / kPanels * kPanels;
    if (narrow_) return {out_, across};
    return {std::max(across, kPanels), std::min(out_, kColumns)};
  }

  void gradient(const Batch& b, const Tile& t) const override {
    const std::size_t m = b.samples * rows_;
    if (t.parameter == 1) return b.kernels.column_sums(b.gradient, b.dy + t.column, m, t.columns, out_);
    sum_rows(b, t, m, kRunRows, [&](std::size_t first, std::size_t count, float* to, std::size_t to_row) {
      const float *x = b.x + first * in_, *dy = b.dy + first * out_;
      b.kernels.gemm({.c = {to, to_row},
                      .a = {(narrow_ ? dy : x) + t.row, 1, offset(narrow_ ? out_ : in_)},
                      .b = {(narrow_ ? x : dy) + t.column, narrow_ ? in_ : out_, b.kernels.panel},
                      .size = {t.rows, t.columns, count},
                      .scratch = b.scratch});
    });
  }

  std::size_t packed_size(const Kernels& k, bool for_dx) const override {
    return forward_packed_size(k) + (for_dx && !is_transpose() ? in_panels(k, out_, in_) : 0);
  }
  void pack(const Kernels& k, float* packed, const float* parameters, const Tile& t,
            Readers readers) const override {
    if (t.parameter == 1) return;
    const float* w = parameters + t.row * out_ + t.column;
    if (is_packed(k) && readers.forward) {
      const bool finite =
          k.pack(packed + t.column * in_ + t.row * k.panel, in_ * k.panel, w, t.rows, t.columns, out_);
      float* flags = packed + in_panels(k, in_, out_) + t.row / kPanels * blocks(out_) + t.column / kPanels;
      for (std::size_t r = 0; r < blocks(t.rows); ++r)
        std::fill_n(flags + r * blocks(out_), blocks(t.columns), finite ? 0.0f : 1.0f);
    }
    if (readers.dx && !is_transpose())
      k.pack_transposed(packed + forward_packed_size(k) + t.row * out_ + t.column * k.panel, out_ * k.panel,
                        w, t.columns, t.rows, out_);
  }

 private:
  // z (m, out) from x (m, in)
  void product(const Chunk& c, float* z) const {
    const std::size_t m = c.samples * rows_, panel = c.kernels.panel;
    if (narrow_) return c.kernels.narrow_product(z, c.x, c.parameters, bias(c), m, out_, in_);
    const bool is_copy = is_packed(c.kernels);
    c.kernels.gemm({.c = {z, out_},
                    .a = {c.x, offset(in_)},
                    .b = {is_copy ? c.packed : c.parameters, is_copy ? panel : out_, in_ * panel},
                    .bias = bias(c),
                    .size = {m, out_, in_},
                    .b_is_finite = is_finite(c),
                    .scratch = c.gemm_scratch});
  }

  // Whether the stored kernel can be read as the transposed kernel; a kernel (in, 1) can as well.
  bool is_transpose() const { return narrow_ || out_ == 1; }
  // A kernel that is no wider than a panel is read as it is stored.
  bool is_packed(const Kernels& k) const { return !narrow_ && out_ > k.panel; }
  static std::size_t blocks(std::size_t n) { return (n + kPanels - 1) / kPanels; }
  std::size_t forward_packed_size(const Kernels& k) const {
    return is_packed(k) ? in_panels(k, in_, out_) + aligned(blocks(in_) * blocks(out_)) : 0;
  }
  // False as well if the kernel has not been checked.
  bool is_finite(const Chunk& c) const {
    if (!is_packed(c.kernels)) return false;
    const float* flags = c.packed + in_panels(c.kernels, in_, out_);
    return std::all_of(flags, flags + blocks(in_) * blocks(out_), [](float flag) { return flag == 0.0f; });
  }

  std::size_t in_, out_;
  bool narrow_;
};

}  // namespace

std::unique_ptr<Layer> make_dense(const Spec& spec, const Shape& input) {
  if (input.empty()) spec.fail("expected inputs with at least one feature axis, got samples of shape ()");
  if (input.back() == 0) spec.fail("an axis of the input is empty: " + to_string(input));
  const auto split = [&](const char* heads, std::size_t size) {
    if (!spec.attributes.count(heads)) return Shape{size};
    const std::size_t count = spec.positive(heads);
    if (size % count) spec.fail(std::string(heads) + " must divide " + std::to_string(size));
    return Shape{count, size / count};
  };
  Shape output = input;
  output.back() = spec.positive("units");
  Shape kernel = split("heads_of_inputs", input.back()), bias = split("heads_of_outputs", output.back());
  kernel.insert(kernel.end(), bias.begin(), bias.end());
  const bool narrow = output.back() <= 16 && input.back() >= 64 && kernel.size() == 2;
  return std::make_unique<Dense>(spec, input, std::move(output), std::move(kernel), std::move(bias), narrow);
}

}  // namespace nncore

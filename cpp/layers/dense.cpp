#include <algorithm>

#include "activation.hpp"

namespace nncore {
namespace {

// y = f(x @ kernel + bias) over the last axis. kernel (in, out), bias (out).
//
// The replica holds the kernel twice: in panels of outputs for the forward product, and transposed in panels
// of inputs for the input gradient.
class Dense final : public Layer {
 public:
  Dense(const Spec& spec, const Shape& input, Shape output)
      : Layer(input, std::move(output)),
        in_(input.back()),
        out_(this->output().back()),
        rows_(input_size() / in_),
        use_bias_(spec.flag("use_bias")),
        activation_(activation_of(spec)) {}

  std::vector<Parameter> parameters() const override {
    std::vector<Parameter> p{{"kernel", {in_, out_}}};
    if (use_bias_) p.push_back({"bias", {out_}});
    return p;
  }
  std::size_t kept() const override { return activation_.needs_input() ? output_size() : 0; }
  std::size_t work() const override { return rows_ * in_ * out_; }

  void forward(const Chunk& c) const override {
    const std::size_t m = c.samples * rows_;
    float* z = activation_.needs_input() && c.kept ? c.kept : c.y;
    c.kernels.gemm({.c = z,
                    .ldc = out_,
                    .a = c.x,
                    .row_offsets = nullptr,
                    .a_row = offset(in_),
                    .a_k = 1,
                    .segments = nullptr,
                    .segment_count = 1,
                    .b = is_packed(c.kernels) ? c.replica : c.parameters,
                    .b_k = is_packed(c.kernels) ? c.kernels.panel : out_,
                    .b_panel = in_ * c.kernels.panel,
                    .bias = use_bias_ ? c.parameters + in_ * out_ : nullptr,
                    .m = m,
                    .n = out_,
                    .k = in_,
                    .accumulate = false});
    if (!activation_.is_linear()) activation_.forward(c.kernels, c.y, z, m, out_);
  }

  void backward(const Chunk& c) const override {
    const std::size_t m = c.samples * rows_;
    if (!activation_.is_linear())
      activation_.backward(c.kernels, c.dy, c.dy, activation_.needs_input() ? c.kept : c.y, m, out_);
    if (!c.dx) return;
    c.kernels.gemm({.c = c.dx,
                    .ldc = in_,
                    .a = c.dy,
                    .row_offsets = nullptr,
                    .a_row = offset(out_),
                    .a_k = 1,
                    .segments = nullptr,
                    .segment_count = 1,
                    .b = c.replica + forward_replica(c.kernels),
                    .b_k = c.kernels.panel,
                    .b_panel = out_ * c.kernels.panel,
                    .bias = nullptr,
                    .m = m,
                    .n = in_,
                    .k = out_,
                    .accumulate = false});
  }

  // Rows and columns are multiples of every panel width, so that no two tiles write to one panel of the
  // replica.
  Shape tile_shape(std::size_t parameter) const override {
    constexpr std::size_t kRows = 48, kColumns = 528, kFloats = 8192;
    if (parameter == 1) return {1, out_};
    return {std::max<std::size_t>(1, kFloats / out_ / kRows) * kRows, std::min(out_, kColumns)};
  }

  void gradient(const Batch& b, const Tile& t) const override {
    const std::size_t m = b.samples * rows_;
    if (t.parameter == 1) {
      b.kernels.column_sums(b.gradient + in_ * out_ + t.column, b.dy + t.column, m, t.columns, out_, false);
      return;
    }
    b.kernels.gemm({.c = b.gradient + t.row * out_ + t.column,
                    .ldc = out_,
                    .a = b.x + t.row,
                    .row_offsets = nullptr,
                    .a_row = 1,
                    .a_k = offset(in_),
                    .segments = nullptr,
                    .segment_count = 1,
                    .b = b.dy + t.column,
                    .b_k = out_,
                    .b_panel = b.kernels.panel,
                    .bias = nullptr,
                    .m = t.rows,
                    .n = t.columns,
                    .k = m,
                    .accumulate = false});
  }

  std::size_t replica(const Kernels& k) const override {
    return forward_replica(k) + (in_ + k.panel - 1) / k.panel * k.panel * out_;
  }
  void replicate(const Kernels& k, float* replica, const float* parameters, const Tile& t) const override {
    if (t.parameter == 1) return;
    const float* w = parameters + t.row * out_ + t.column;
    const auto ld = offset(out_);
    if (is_packed(k))
      k.pack(replica + t.column * in_ + t.row * k.panel, in_ * k.panel, w, t.rows, t.columns, ld, 1);
    k.pack(replica + forward_replica(k) + t.row * out_ + t.column * k.panel, out_ * k.panel, w, t.columns,
           t.rows, 1, ld);
  }

 private:
  // A kernel that is no wider than a panel is one as it lies.
  bool is_packed(const Kernels& k) const { return out_ > k.panel; }
  std::size_t forward_replica(const Kernels& k) const {
    return is_packed(k) ? (out_ + k.panel - 1) / k.panel * k.panel * in_ : 0;
  }

  std::size_t in_, out_, rows_;
  bool use_bias_;
  ActivationFunction activation_;
};

}  // namespace

std::unique_ptr<Layer> make_dense(const Spec& spec, const Shape& input) {
  if (input.empty()) spec.fail("expected inputs with at least one feature axis, got samples of shape ()");
  if (input.back() == 0) spec.fail("an axis of the input is empty: " + to_string(input));
  Shape output = input;
  output.back() = spec.positive("units");
  return std::make_unique<Dense>(spec, input, std::move(output));
}

}  // namespace nncore

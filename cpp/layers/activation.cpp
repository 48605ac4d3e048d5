#include "activation.hpp"

#include <algorithm>

namespace nncore {
namespace {

class ActivationLayer final : public Layer {
 public:
  ActivationLayer(const Spec& spec, const Shape& input)
      : Layer(input, input), function_(activation_of(spec)) {
    if (function_.row().over_rows && input.empty())
      spec.fail("expected samples with at least one axis for " + label_of(spec) + ", got shape ()");
    traits_.is_view = traits_.is_view_at_inference = function_.is_linear();
  }

  void forward(const Chunk& c) const override {
    function_.forward(c.kernels, c.y, c.x, c.samples * rows(), columns());
  }
  void save(const Chunk& c) const override {
    if (!reads_input()) forward(c);
  }
  void backward(const Chunk& c) const override {
    if (!c.dx) return;
    function_.backward(c.kernels, c.dx, c.dy, reads_input() ? c.x : c.y, c.samples * rows(), columns());
  }

 private:
  // A slope that can read input or output reads the input, so that `save` has nothing to do.
  bool reads_input() const { return function_.row().reads != Reads::output; }
  std::size_t columns() const { return input().empty() ? 1 : input().back(); }
  std::size_t rows() const { return columns() ? input_size() / columns() : 0; }

  ActivationFunction function_;
};

// Softmax over axes side by side: a sample is (outer, n, inner), and the sums run over n.
class AxisSoftmax final : public Layer {
 public:
  AxisSoftmax(const Shape& input, std::size_t n, std::size_t inner)
      : Layer(input, input), n_(n), inner_(inner), outer_(input_size() / (n * inner)) {
    constexpr std::size_t kWork = 16, kBlocks = 3;
    traits_.work = kWork * input_size();
    traits_.scratch = inner_ > 1 ? kBlocks * n_ * inner_ : 0;
  }

  void forward(const Chunk& c) const override {
    const auto softmax = kernels(c).forward;
    if (inner_ == 1) return softmax(c.y, c.x, nullptr, c.samples * outer_, n_);
    for (std::size_t i = 0; i < c.samples * outer_; ++i) {
      turn(c.scratch, c.x + i * block(), n_, inner_);
      softmax(c.scratch, c.scratch, nullptr, inner_, n_);
      turn(c.y + i * block(), c.scratch, inner_, n_);
    }
  }
  void backward(const Chunk& c) const override {
    if (!c.dx) return;
    const auto gradient = kernels(c).backward;
    if (inner_ == 1) return gradient(c.dx, c.dy, c.y, nullptr, c.samples * outer_, n_);
    float *y = c.scratch, *dy = y + block(), *dx = dy + block();
    for (std::size_t i = 0; i < c.samples * outer_; ++i) {
      turn(y, c.y + i * block(), n_, inner_);
      turn(dy, c.dy + i * block(), n_, inner_);
      gradient(dx, dy, y, nullptr, inner_, n_);
      turn(c.dx + i * block(), dx, inner_, n_);
    }
  }

 private:
  static const ActivationKernels& kernels(const Chunk& c) {
    return c.kernels.activation[static_cast<std::size_t>(Activation::softmax)];
  }
  std::size_t block() const { return n_ * inner_; }
  // to (columns, rows) from (rows, columns)
  static void turn(float* to, const float* from, std::size_t rows, std::size_t columns) {
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
  }

  std::size_t n_, inner_, outer_;
};

}  // namespace

ActivationFunction activation_of(const Spec& spec) {
  const std::string& name = spec.text("activation");
  const std::size_t row = row_named(kActivations, name);
  if (row == kActivations.size()) spec.fail("unknown activation '" + name + "'");
  return {static_cast<Activation>(row), spec.settings(kActivations[row].settings)};
}

Spec with_activation(Spec spec, const Spec& from) {
  spec.attributes[kActivation] = from.attributes.at(kActivation);
  for (const Setting& s : row_of(activation_of(from).kind).settings)
    if (s.name && from.attributes.count(s.name)) spec.attributes[s.name] = from.attributes.at(s.name);
  return spec;
}

Spec without_activation(Spec spec) {
  spec.attributes[kActivation] = std::string(row_of(Activation::linear).name);
  return spec;
}

std::string label_of(const Spec& spec) {
  if (!has_activation(spec)) return spec.kind;
  const ActivationFunction function = activation_of(spec);
  if (spec.kind == kActivation) return function.row().name;
  return function.is_linear() ? spec.kind : spec.kind + "+" + function.row().name;
}

std::unique_ptr<Layer> make_activation(const Spec& spec, const Shape& input) {
  return std::make_unique<ActivationLayer>(spec, input);
}

// axis: sorted, counted with the batch axis, or from the end if negative.
std::unique_ptr<Layer> make_softmax(const Spec& spec, const Shape& input) {
  if (size_of(input) == 0) spec.fail("an axis of the input is empty: " + to_string(input));
  std::vector<std::size_t> axes;
  for (const std::int64_t axis : spec.integers("axis")) {
    const std::int64_t index = axis < 0 ? axis + offset(input.size()) : axis - 1;
    if (index < 0 || index >= offset(input.size()))
      spec.fail("axis must name axes behind the batch, got " + std::to_string(axis) +
                " for samples of shape " + to_string(input));
    axes.push_back(static_cast<std::size_t>(index));
  }
  std::ranges::sort(axes);
  for (std::size_t i = 1; i < axes.size(); ++i)
    if (axes[i] != axes[0] + i)
      spec.fail("axis must name axes that lie side by side, for samples of shape " + to_string(input) +
                ": move them with numpy.moveaxis");
  std::size_t n = 1, inner = 1;
  for (std::size_t i = axes[0]; i < input.size(); ++i) (i < axes[0] + axes.size() ? n : inner) *= input[i];
  return std::make_unique<AxisSoftmax>(input, n, inner);
}

}  // namespace nncore

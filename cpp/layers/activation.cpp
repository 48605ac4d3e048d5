#include "activation.hpp"

#include <array>
#include <cmath>

namespace nncore {
namespace {

constexpr std::array kNames = {"linear",   "relu", "leaky_relu", "elu",       "sigmoid", "tanh",
                               "softplus", "silu", "gelu",       "gelu_tanh", "softmax"};

class ActivationLayer final : public Layer {
 public:
  ActivationLayer(const Spec& spec, const Shape& input)
      : Layer(input, input), function_(activation_of(spec)) {
    if (function_.kind == Activation::softmax && input.empty()) spec.fail("softmax needs at least one axis");
  }
  bool is_view() const override { return function_.is_linear(); }

  void forward(const Chunk& c) const override {
    function_.forward(c.kernels, c.y, c.x, c.samples * rows(), columns());
  }
  void keep(const Chunk& c) const override {
    if (!reads_input()) forward(c);
  }
  void backward(const Chunk& c) const override {
    if (!c.dx) return;
    function_.backward(c.kernels, c.dx, c.dy, reads_input() ? c.x : c.y, c.samples * rows(), columns());
  }

 private:
  // These outputs are positive exactly where the input is, which spares `keep`.
  bool reads_input() const {
    return function_.needs_input() || function_.kind == Activation::relu ||
           function_.kind == Activation::leaky_relu;
  }
  std::size_t columns() const { return input().empty() ? 1 : input().back(); }
  std::size_t rows() const { return columns() ? input_size() / columns() : 0; }

  ActivationFunction function_;
};

}  // namespace

void ActivationFunction::forward(const Kernels& k, float* y, const float* x, std::size_t rows,
                                 std::size_t columns) const {
  if (kind == Activation::softmax)
    k.softmax(y, x, rows, columns);
  else
    k.activation(y, x, kind, alpha, rows * columns);
}

void ActivationFunction::backward(const Kernels& k, float* dx, const float* dy, const float* xy,
                                  std::size_t rows, std::size_t columns) const {
  if (kind == Activation::softmax)
    k.softmax_backward(dx, dy, xy, rows, columns);
  else
    k.activation_backward(dx, dy, xy, kind, alpha, rows * columns);
}

ActivationFunction activation_of(const Spec& spec) {
  const std::string& name = spec.text("activation");
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (name == kNames[i]) {
      const ActivationFunction f{static_cast<Activation>(i), spec.single("alpha")};
      // Derivatives may be made from the output, which shows the branch only where alpha >= 0.
      const bool uses_alpha = f.kind == Activation::leaky_relu || f.kind == Activation::elu;
      if (uses_alpha && !(f.alpha >= 0.0f && std::isfinite(f.alpha)))
        spec.fail("the slope or alpha of " + name + " must be a finite number >= 0, got " +
                  std::to_string(f.alpha));
      return f;
    }
  spec.fail("unknown activation '" + name + "'");
}

const char* name_of(Activation kind) { return kNames[static_cast<std::size_t>(kind)]; }

std::unique_ptr<Layer> make_activation(const Spec& spec, const Shape& input) {
  return std::make_unique<ActivationLayer>(spec, input);
}

}  // namespace nncore

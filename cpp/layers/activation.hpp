// An activation with its parameter, shared by the Activation layer and by layers with an `activation` of
// their own.
#pragma once

#include "layer.hpp"

namespace nncore {

struct ActivationFunction {
  Activation kind = Activation::linear;
  float alpha = 0.0f;

  bool is_linear() const { return kind == Activation::linear; }
  bool needs_input() const { return derivative_needs_input(kind); }

  // x and y: (rows, columns); columns matter to softmax alone. y may be x.
  void forward(const Kernels& k, float* y, const float* x, std::size_t rows, std::size_t columns) const;
  // xy: the input if needs_input(), else the output, or either for relu and leaky_relu. dx may be dy.
  void backward(const Kernels& k, float* dx, const float* dy, const float* xy, std::size_t rows,
                std::size_t columns) const;
};

// From the attributes `activation` and `alpha`.
ActivationFunction activation_of(const Spec& spec);
const char* name_of(Activation kind);

}  // namespace nncore

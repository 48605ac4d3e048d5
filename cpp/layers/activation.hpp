// An activation with its settings, shared by the Activation layer and by layers with an `activation` of
// their own.
#pragma once

#include "layer.hpp"

namespace nncore {

struct ActivationFunction {
  Activation kind = Activation::linear;
  Settings settings{};

  const ActivationRow& row() const { return row_of(kind); }
  bool is_linear() const { return kind == Activation::linear; }
  bool needs_input() const { return row().reads == Reads::input; }

  // As ActivationKernels.
  void forward(const Kernels& k, float* y, const float* x, std::size_t rows, std::size_t columns) const {
    k.activation[static_cast<std::size_t>(kind)].forward(y, x, settings.data(), rows, columns);
  }
  void backward(const Kernels& k, float* dx, const float* dy, const float* xy, std::size_t rows,
                std::size_t columns) const {
    k.activation[static_cast<std::size_t>(kind)].backward(dx, dy, xy, settings.data(), rows, columns);
  }
};

// From the attribute `activation`, and one for each of its settings that is not the default.
ActivationFunction activation_of(const Spec& spec);

}  // namespace nncore

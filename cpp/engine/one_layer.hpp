// One layer over arrays that lie in the user's memory, without a network around it.
#pragma once

#include <cstdint>
#include <vector>

#include "../layers/layer.hpp"

namespace nncore {

// What a layer is applied to.
struct LayerCall {
  Layer& layer;
  const std::vector<const float*>& parameters;  // in the user's layout
  const float* x;                               // (samples, input)
  std::size_t samples;
  std::uint64_t seed;
};

// y (samples, output), with room for kernels that read past its end.
void layer_forward(const LayerCall& call, bool training, float* y);
// The layer in training. dy (samples, output); dx (samples, input) and one gradient for each parameter, in
// the user's layout, all with room for kernels that read past their end.
void layer_backward(const LayerCall& call, const float* dy, float* dx, const std::vector<float*>& gradients);

}  // namespace nncore

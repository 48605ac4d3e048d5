// A convolution and the max pooling that follows it as one layer.
#pragma once

#include "layer.hpp"

namespace nncore {

// Null if the fused kernel does not support these settings.
std::unique_ptr<Layer> fuse_conv2d_pool(const Spec& conv, const Spec& pool, const Shape& input);

}  // namespace nncore

// One maker for each kind of layer; registry.cpp is the table that names them.
#pragma once

#include "layer.hpp"

namespace nncore {

std::unique_ptr<Layer> make_dense(const Spec& spec, const Shape& input);
std::unique_ptr<Layer> make_conv2d(const Spec& spec, const Shape& input);
std::unique_ptr<Layer> make_max_pooling2d(const Spec& spec, const Shape& input);
std::unique_ptr<Layer> make_average_pooling2d(const Spec& spec, const Shape& input);
std::unique_ptr<Layer> make_global_max_pooling2d(const Spec& spec, const Shape& input);
std::unique_ptr<Layer> make_global_average_pooling2d(const Spec& spec, const Shape& input);
std::unique_ptr<Layer> make_flatten(const Spec& spec, const Shape& input);
std::unique_ptr<Layer> make_reshape(const Spec& spec, const Shape& input);
std::unique_ptr<Layer> make_activation(const Spec& spec, const Shape& input);
std::unique_ptr<Layer> make_dropout(const Spec& spec, const Shape& input);
std::unique_ptr<Layer> make_rescaling(const Spec& spec, const Shape& input);

// A convolution and the max pooling that follows it as one layer, or null if the kernel for that does not fit
// them.
std::unique_ptr<Layer> fuse_conv2d_pool(const Spec& conv, const Spec& pool, const Shape& input);

}  // namespace nncore

// The convolution whose input gradient a transposed convolution computes.
#pragma once

#include "window.hpp"

namespace nncore {

// A convolution without bias and activation of `image`, the output of the transposed one. Its saved
// activations of a sample begin with `others` floats, which it leaves alone.
std::unique_ptr<Layer> make_transposed(const Spec& spec, const Shape& image, const WindowAxis& h,
                                       const WindowAxis& w, const Shape& kernel, std::size_t others);

}  // namespace nncore

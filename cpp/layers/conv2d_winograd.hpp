// Conv2D with a 3 x 3 kernel by Winograd's minimal filtering, where that is faster than the plain sums.
#pragma once

#include "window.hpp"

namespace nncore {

bool fits_winograd(const Spec& conv, const Shape& input, const Shape& output);

// plain: the same convolution without activation, for samples whose outputs are not all finite.
std::unique_ptr<Layer> make_conv2d_winograd(const Spec& conv, const WindowAxis& h, const WindowAxis& w,
                                            std::unique_ptr<Layer> plain);

}  // namespace nncore

// Loops over floats for the rules of optimizers. Compilers vectorize them for any processor.
#pragma once

#include <cstddef>

namespace nncore {

// Adds in the order of sum_of (penalties.hpp).
double sum_of_squares(const float* x, std::size_t n);
// y = a * y + b * x
void mix(float* y, float a, const float* x, float b, std::size_t n);
// Clips y to [-most, most]. A NaN stays.
void clip(float* y, float most, std::size_t n);

}  // namespace nncore

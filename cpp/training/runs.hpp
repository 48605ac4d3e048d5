// Loops over runs of floats for the rules of optimizers. Compilers make vectors of them for any processor.
#pragma once

#include <cstddef>

namespace nncore {

// In the order of sum_of (penalties.hpp).
double sum_of_squares(const float* x, std::size_t n);
// y = a * y + b * x
void mix(float* y, float a, const float* x, float b, std::size_t n);
// To [-most, most]. A NaN stays.
void clip(float* y, float most, std::size_t n);

}  // namespace nncore

#include "runs.hpp"

#include "penalties.hpp"

namespace nncore {

double sum_of_squares(const float* x, std::size_t n) {
  return sum_of(n, [x](std::size_t i) { return static_cast<double>(x[i]) * static_cast<double>(x[i]); });
}

void mix(float* y, float a, const float* x, float b, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = a * y[i] + b * x[i];
}

void clip(float* y, float most, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    const float value = y[i] < -most ? -most : y[i];
    y[i] = most < value ? most : value;
  }
}

}  // namespace nncore

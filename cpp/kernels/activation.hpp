// The formulas of activations.def as kernels.
#pragma once

#include "kernels.hpp"
#include "math.hpp"
#include "simd.hpp"
#include "softmax.hpp"

namespace nncore::NNCORE_ISA {
namespace {

constexpr float kGeluScale = 1.59576912f;  // 2 sqrt(2 / pi)
constexpr float kGeluCubic = 0.044715f * kGeluScale;
// Outside [-kFlat, kFlat] the derivatives that read the input are 0 or 1 in float precision. Inputs are
// clamped to it, which avoids 0 * inf.
constexpr float kFlat = 110.0f;

// y = f(x)
template <class F>
inline void map(float* y, const float* x, std::size_t n, F f) {
  for_each_vector(n, [&](std::size_t i, std::size_t lanes) { store(y + i, f(load(x + i, lanes)), lanes); });
}
// y = f(a, b)
template <class F>
inline void map(float* y, const float* a, const float* b, std::size_t n, F f) {
  for_each_vector(n, [&](std::size_t i, std::size_t lanes) {
    store(y + i, f(load(a + i, lanes), load(b + i, lanes)), lanes);
  });
}

#define NONE
#define SETTING(name, ...) [[maybe_unused]] const float name = *setting++;
#define ACTIVATION(name, settings, reads, value, gradient)                                       \
  inline void name##_forward(float* y, const float* from, [[maybe_unused]] const float* setting, \
                             std::size_t rows, std::size_t columns) {                            \
    settings map(y, from, rows * columns, [=]([[maybe_unused]] vec x)->vec value);               \
  }                                                                                              \
  inline void name##_backward(float* dx, const float* from, const float* xy,                     \
                              [[maybe_unused]] const float* setting, std::size_t rows,           \
                              std::size_t columns) {                                             \
    settings map(dx, from, xy, rows * columns, [=](vec dy, [[maybe_unused]] vec t) -> vec {      \
      if constexpr (Reads::reads == Reads::input) t = clamp(t, -kFlat, kFlat);                   \
      gradient                                                                                   \
    });                                                                                          \
  }
#define ROW_ACTIVATION(...)
#include "activations.def"
#undef NONE
#undef SETTING

constexpr ActivationKernels kActivationKernels[] = {
#define ACTIVATION(name, ...) {name##_forward, name##_backward},
#define ROW_ACTIVATION(name, ...) {name##_forward, name##_backward},
#include "activations.def"
};

}  // namespace
}  // namespace nncore::NNCORE_ISA

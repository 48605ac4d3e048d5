// Elementwise activations and their derivatives.
#pragma once

#include "kernels.hpp"
#include "math.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

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

// gelu_tanh(x) = x (1 + tanh(u)) / 2 = x sigmoid(2 u), with u = sqrt(2 / pi) (x + 0.044715 x^3).
constexpr float kGeluScale = 1.59576912f;  // 2 sqrt(2 / pi)
constexpr float kGeluCubic = 0.044715f * kGeluScale;
// Beyond this the derivatives of silu and both gelus are 0 or 1 to float precision: keeps 0 * inf out.
constexpr float kFlat = 110.0f;

inline void activation(float* y, const float* x, Activation kind, float alpha, std::size_t n) {
  switch (kind) {
    case Activation::linear:
      if (y != x) map(y, x, n, [](vec v) { return v; });
      return;
    case Activation::relu:
      return map(y, x, n, [](vec v) { return max(vec{}, v); });
    case Activation::leaky_relu:
      return map(y, x, n, [=](vec v) { return v > 0.0f ? v : alpha * v; });
    case Activation::elu:
      return map(y, x, n, [=](vec v) { return v > 0.0f ? v : alpha * expm1(min(vec{}, v)); });
    case Activation::sigmoid:
      return map(y, x, n, [](vec v) { return sigmoid(v); });
    case Activation::tanh:
      return map(y, x, n, [](vec v) { return tanh(v); });
    case Activation::softplus:
      return map(y, x, n, [](vec v) { return softplus(v); });
    case Activation::silu:
      return map(y, x, n, [](vec v) { return v * sigmoid(v); });
    case Activation::gelu:
      return map(y, x, n, [](vec v) { return v * normal(v).cdf; });
    case Activation::gelu_tanh:
      return map(y, x, n, [](vec v) {
        return v * sigmoid(v * fma(v * v, broadcast(kGeluCubic), broadcast(kGeluScale)));
      });
    case Activation::softmax:
      return;
  }
}

inline void activation_backward(float* dx, const float* dy, const float* xy, Activation kind, float alpha,
                                std::size_t n) {
  const auto from_output = [=](auto slope) {
    map(dx, dy, xy, n, [=](vec d, vec y) { return d * slope(y); });
  };
  const auto from_input = [=](auto slope) {
    map(dx, dy, xy, n, [=](vec d, vec x) { return d * slope(clamp(x, -kFlat, kFlat)); });
  };
  switch (kind) {
    case Activation::linear:
      if (dx != dy) map(dx, dy, n, [](vec d) { return d; });
      return;
    case Activation::relu:
      return map(dx, dy, xy, n, [](vec d, vec y) { return y > 0.0f ? d : vec{}; });
    case Activation::leaky_relu:
      return from_output([=](vec y) { return y > 0.0f ? broadcast(1.0f) : broadcast(alpha); });
    case Activation::elu:
      return from_output([=](vec y) { return y > 0.0f ? broadcast(1.0f) : y + alpha; });
    case Activation::sigmoid:
      return from_output([](vec y) { return y * (1.0f - y); });
    case Activation::tanh:
      return from_output([](vec y) { return fma(-y, y, broadcast(1.0f)); });
    case Activation::softplus:  // sigmoid(x) = 1 - e^-y
      return from_output([](vec y) { return -expm1(-y); });
    case Activation::silu:
      return from_input([](vec x) {
        const Sigmoid s = sigmoid_and_slope(x);
        return fma(x, s.slope, s.value);
      });
    case Activation::gelu:
      return from_input([](vec x) {
        const Normal p = normal(x);
        return fma(x, p.pdf, p.cdf);
      });
    case Activation::gelu_tanh:
      return from_input([](vec x) {
        const vec x2 = x * x;
        const Sigmoid s = sigmoid_and_slope(x * fma(x2, broadcast(kGeluCubic), broadcast(kGeluScale)));
        const vec inner = fma(x2, broadcast(3.0f * kGeluCubic), broadcast(kGeluScale));
        return fma(x * inner, s.slope, s.value);
      });
    case Activation::softmax:
      return;
  }
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

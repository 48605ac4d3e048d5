// Optimizer steps and other elementwise arithmetic.
#pragma once

#include "kernels.hpp"
#include "math.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// Without gradients a moment decays to subnormal numbers, which are slow; they are replaced by zero.
inline vec drop_subnormal(vec x) { return abs(x) < 1.17549435e-38f ? vec{} : x; }

// An optimizer step of n parameters: formula(state, g) updates `state`, vectors of w and of the moments.
template <std::size_t Moments, bool Decays, class F>
inline void update_run(float* w, float* const* moment, const float* g, float decay, std::size_t n,
                       F formula) {
  float* at[1 + Moments] = {w};
  for (std::size_t k = 0; k < Moments; ++k) at[1 + k] = moment[k];
  // Other cores have read w in this step, so a store would wait for its cache line, which is prefetched. With
  // fewer than two moments that gains nothing.
  constexpr bool kPrefetches = Moments > 1;
  constexpr std::size_t kAhead = 128;  // floats
  if constexpr (kPrefetches)
    for (std::size_t i = 0; i < n && i < kAhead; i += kLine) prefetch_for_write(w + i);
  for_each_vector(n, [&](std::size_t i, std::size_t lanes) {
    if constexpr (kPrefetches) prefetch_for_write(w + (i + kAhead < n ? i + kAhead : i));
    vec state[1 + Moments];
    for (std::size_t k = 0; k <= Moments; ++k) state[k] = load(at[k] + i, lanes);
    if constexpr (Decays) state[0] = fma(broadcast(-decay), state[0], state[0]);
    formula(state, load(g + i, lanes));
    for (std::size_t k = 0; k <= Moments; ++k) store(at[k] + i, state[k], lanes);
  });
}

#define NONE
#define SCALAR(name, ...) const vec name = broadcast(*scalar++);
#define MOMENT(name, ...) vec& name = *state++;
#define OPTIMIZER(name, settings, moments, scalars, ...)                                    \
  inline void name##_update(float* p, float* const* moment, const float* dp, float decay,   \
                            const float* scalar, std::size_t n) {                           \
    constexpr std::size_t kMoments = moments_of(row_of(OptimizerKind::name));               \
    scalars const auto formula = [=](vec* state, vec g) {                                   \
      vec& w = *state++;                                                                    \
      moments __VA_ARGS__                                                                   \
    };                                                                                      \
    if (decay != 0.0f) return update_run<kMoments, true>(p, moment, dp, decay, n, formula); \
    update_run<kMoments, false>(p, moment, dp, decay, n, formula);                          \
  }
#include "optimizers.def"
#undef NONE

constexpr UpdateKernel* kUpdateKernels[] = {
#define OPTIMIZER(name, ...) name##_update,
#include "optimizers.def"
};

inline void add(float* y, const float* x, std::size_t n) {
  for_each_vector(n, [&](std::size_t i, std::size_t lanes) {
    store(y + i, load(y + i, lanes) + load(x + i, lanes), lanes);
  });
}

inline void rescale(float* y, const float* x, float scale, float offset, std::size_t n) {
  for_each_vector(
      n, [&](std::size_t i, std::size_t lanes) { store(y + i, load(x + i, lanes) * scale + offset, lanes); });
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

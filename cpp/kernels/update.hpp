// Optimizer steps and other arithmetic over flat runs of floats.
#pragma once

#include "kernels.hpp"
#include "math.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// A moment without gradient decays for ever; subnormal numbers, which are slow and no use here, become zero.
inline vec drop_subnormal(vec x) { return abs(x) < 1.17549435e-38f ? vec{} : x; }

inline void adam(float* w, float* m, float* v, const float* g, const Adam& a, std::size_t n) {
  const vec rate = broadcast(a.rate), epsilon = broadcast(a.epsilon);
  const vec toward_1 = broadcast(a.gain_1), toward_2 = broadcast(a.gain_2);
  // All threads have read w.
  constexpr std::size_t kAhead = 128;
  for (std::size_t i = 0; i < n && i < kAhead; i += kLine) fetch_to_write(w + i);
  for_each_vector(n, [&](std::size_t i, std::size_t lanes) {
    fetch_to_write(w + (i + kAhead < n ? i + kAhead : i));
    const vec g_i = load(g + i, lanes), m_old = load(m + i, lanes), v_old = load(v + i, lanes);
    const vec m_i = drop_subnormal(fma(g_i - m_old, toward_1, m_old));
    const vec v_i = drop_subnormal(fma(fma(g_i, g_i, -v_old), toward_2, v_old));
    store(m + i, m_i, lanes);
    store(v + i, v_i, lanes);
    store(w + i, load(w + i, lanes) - m_i * rate / (sqrt(v_i) + epsilon), lanes);
  });
}

inline void sgd(float* w, const float* g, const Sgd& s, std::size_t n) {
  const vec rate = broadcast(-s.rate);
  for_each_vector(n, [&](std::size_t i, std::size_t lanes) {
    store(w + i, fma(rate, load(g + i, lanes), load(w + i, lanes)), lanes);
  });
}

inline void sgd_momentum(float* w, float* velocity, const float* g, const Sgd& s, std::size_t n) {
  const vec rate = broadcast(-s.rate), momentum = broadcast(s.momentum);
  const bool nesterov = s.nesterov;
  for_each_vector(n, [&](std::size_t i, std::size_t lanes) {
    const vec step = rate * load(g + i, lanes);
    const vec u = drop_subnormal(fma(momentum, load(velocity + i, lanes), step));
    store(velocity + i, u, lanes);
    store(w + i, load(w + i, lanes) + (nesterov ? fma(momentum, u, step) : u), lanes);
  });
}

inline void add(float* y, const float* x, std::size_t n) {
  for_each_vector(n, [&](std::size_t i, std::size_t lanes) {
    store(y + i, load(y + i, lanes) + load(x + i, lanes), lanes);
  });
}

inline void rescale(float* y, const float* x, float scale, float offset, std::size_t n) {
  for_each_vector(
      n, [&](std::size_t i, std::size_t lanes) { store(y + i, load(x + i, lanes) * scale + offset, lanes); });
}

inline void add_wide(double* sum, const float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) sum[i] += static_cast<double>(x[i]);
}

// Sums over rows of Vectors vectors of columns, the last of `tail` lanes.
template <std::size_t Vectors>
inline void column_sums_run(float* y, const float* x, std::size_t rows, std::size_t ld, std::size_t tail) {
  const auto lanes = [&](std::size_t j) { return j + 1 < Vectors ? kLanes : tail; };
  vec sum[Vectors] = {};
  for (std::size_t i = 0; i < rows; ++i, x += ld)
    for (std::size_t j = 0; j < Vectors; ++j) sum[j] += load(x + j * kLanes, lanes(j));
  for (std::size_t j = 0; j < Vectors; ++j) store(y + j * kLanes, sum[j], lanes(j));
}

// The same sums, over many rows: runs of a few rows in float, added in double. Reading x takes longer than
// that.
template <std::size_t Vectors>
[[gnu::noinline]] void long_column_sums(float* y, const float* x, std::size_t rows, std::size_t ld,
                                        std::size_t tail) {
  constexpr std::size_t kRun = 16;
  const std::size_t columns = (Vectors - 1) * kLanes + tail;
  double total[Vectors * kLanes] = {};
  for (std::size_t first = 0; first < rows; first += kRun) {
    column_sums_run<Vectors>(y, x + first * ld, rows - first < kRun ? rows - first : kRun, ld, tail);
    add_wide(total, y, columns);
  }
  for (std::size_t j = 0; j < columns; ++j) y[j] = static_cast<float>(total[j]);
}

template <std::size_t Vectors>
inline void column_sums_block(float* y, const float* x, std::size_t rows, std::size_t ld, std::size_t tail) {
  if (rows <= kShortSum) return column_sums_run<Vectors>(y, x, rows, ld, tail);
  long_column_sums<Vectors>(y, x, rows, ld, tail);
}

inline void column_sums(float* y, const float* x, std::size_t rows, std::size_t columns, std::size_t ld) {
  constexpr std::size_t kBlockVectors = 4;
  std::size_t j = 0;
  for (; j + kBlockVectors * kLanes <= columns; j += kBlockVectors * kLanes)
    column_sums_block<kBlockVectors>(y + j, x + j, rows, ld, kLanes);
  for (; j < columns; j += kLanes)
    column_sums_block<1>(y + j, x + j, rows, ld, columns - j < kLanes ? columns - j : kLanes);
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

// What recurrent layers compute in a time step between their products. A gate is f(z); in place of z is saved
// what the slope of f reads, z itself or the value, and backward the gradient by z.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// Calls body(row) for the rows that the mask does not skip, else skip(row).
template <class Body, class Skip>
inline void for_valid_rows(const RecurrentStep& s, Body body, Skip skip) {
  for (std::size_t row = 0; row < s.rows; ++row) {
    if (s.mask && s.mask[row * s.mask_stride] == 0.0f)
      skip(row);
    else
      body(row);
  }
}

// `count` gates of n units from their z; room (count, n). Returns their values.
inline const float* open_gates(const Gate& g, float* z, float* room, std::size_t count, std::size_t n) {
  float* const value = g.reads_input ? room : z;
  g.kernels.forward(value, z, g.settings, count, n);
  return value;
}
// Their values again, from what is saved.
inline const float* values_of(const Gate& g, const float* saved, float* room, std::size_t count,
                              std::size_t n) {
  if (!g.reads_input) return saved;
  g.kernels.forward(room, saved, g.settings, count, n);
  return room;
}
// Writes dz in place of what is saved.
inline void close_gates(const Gate& g, float* saved, const float* dy, std::size_t count, std::size_t n) {
  g.kernels.backward(saved, dy, saved, g.settings, count, n);
}

inline void zero(float* x, std::size_t n) {
  for_each_vector(n, [&](std::size_t i, std::size_t lanes) { store(x + i, vec{}, lanes); });
}

// Gates i, f, g, o: c = f * c + i * g, h = o * cell(c).
inline void lstm(const RecurrentStep& s) {
  const std::size_t u = s.units;
  float* const room = s.scratch;
  for_valid_rows(
      s,
      [&](std::size_t row) {
        float *const z = s.x + row * s.stride, *const h = s.h + row * u, *const c = s.c + row * u,
                     *const a = room + 4 * u;
        const float *const i = open_gates(s.gate, z, room, 2, u), *const f = i + u,
                           *const g = open_gates(s.cell, z + 2 * u, room + 2 * u, 1, u),
                           *const o = open_gates(s.gate, z + 3 * u, room + 3 * u, 1, u);
        for_each_vector(u, [&](std::size_t j, std::size_t lanes) {
          store(c + j, fma(load(f + j, lanes), load(c + j, lanes), load(i + j, lanes) * load(g + j, lanes)),
                lanes);
        });
        s.cell.kernels.forward(a, c, s.cell.settings, 1, u);
        for_each_vector(u, [&](std::size_t j, std::size_t lanes) {
          store(h + j, load(o + j, lanes) * load(a + j, lanes), lanes);
        });
      },
      [](std::size_t) {});
}

inline void lstm_backward(const RecurrentStep& s) {
  const std::size_t u = s.units;
  float *const room = s.scratch, *const c = room + 4 * u, *const a = c + u, *const d = a + u;
  for_valid_rows(
      s,
      [&](std::size_t row) {
        float *const z = s.x + row * s.stride, *const dh = s.h + row * u, *const dc = s.c + row * u;
        const float* const before = s.state + row * s.stride;
        const float *const i = values_of(s.gate, z, room, 2, u), *const f = i + u,
                           *const g = values_of(s.cell, z + 2 * u, room + 2 * u, 1, u),
                           *const o = values_of(s.gate, z + 3 * u, room + 3 * u, 1, u);
        for_each_vector(u, [&](std::size_t j, std::size_t lanes) {
          store(c + j,
                fma(load(f + j, lanes), load(before + j, lanes), load(i + j, lanes) * load(g + j, lanes)),
                lanes);
        });
        s.cell.kernels.forward(a, c, s.cell.settings, 1, u);
        for_each_vector(u, [&](std::size_t j, std::size_t lanes) {
          const vec dh_j = load(dh + j, lanes);
          store(d + j, dh_j * load(o + j, lanes), lanes);
          store(d + 3 * u + j, dh_j * load(a + j, lanes), lanes);
          store(dh + j, vec{}, lanes);
        });
        s.cell.kernels.backward(a, d, s.cell.reads_input ? c : a, s.cell.settings, 1, u);
        for_each_vector(u, [&](std::size_t j, std::size_t lanes) {
          const vec dc_j = load(dc + j, lanes) + load(a + j, lanes);
          store(d + j, dc_j * load(g + j, lanes), lanes);
          store(d + u + j, dc_j * load(before + j, lanes), lanes);
          store(d + 2 * u + j, dc_j * load(i + j, lanes), lanes);
          store(dc + j, dc_j * load(f + j, lanes), lanes);
        });
        close_gates(s.gate, z, d, 2, u);
        close_gates(s.cell, z + 2 * u, d + 2 * u, 1, u);
        close_gates(s.gate, z + 3 * u, d + 3 * u, 1, u);
      },
      [&](std::size_t row) { zero(s.x + row * s.stride, 4 * u); });
}

// Gates z, r. The candidate's z gets r times its recurrent part; or reset = r * candidate, if s.r is null.
inline void gru_reset(const RecurrentStep& s) {
  const std::size_t u = s.units;
  for_valid_rows(
      s,
      [&](std::size_t row) {
        float* const z = s.x + row * s.stride;
        const float* const part = s.r ? s.r + row * s.stride : nullptr;
        if (part)
          for_each_vector(2 * u, [&](std::size_t j, std::size_t lanes) {
            store(z + j, load(z + j, lanes) + load(part + j, lanes), lanes);
          });
        const float* const r = open_gates(s.gate, z, s.scratch, 2, u) + u;
        const float* const candidate = s.candidate + row * s.stride;
        float* const reset = s.reset + row * s.stride;
        for_each_vector(u, [&](std::size_t j, std::size_t lanes) {
          const vec r_j = load(r + j, lanes);
          if (part)
            store(z + 2 * u + j, fma(r_j, load(part + 2 * u + j, lanes), load(z + 2 * u + j, lanes)), lanes);
          else
            store(reset + j, r_j * load(candidate + j, lanes), lanes);
        });
      },
      [&](std::size_t row) {
        if (!s.r) zero(s.reset + row * s.stride, u);
      });
}

// h = z * h + (1 - z) * g, with the candidate g = cell(its z).
inline void gru_mix(const RecurrentStep& s) {
  const std::size_t u = s.units;
  for_valid_rows(
      s,
      [&](std::size_t row) {
        float *const x = s.x + row * s.stride, *const h = s.h + row * u;
        const float *const g = open_gates(s.cell, x + 2 * u, s.scratch, 1, u), *const z = values_of(
                                                                                   s.gate, x, s.scratch + u,
                                                                                   1, u);
        for_each_vector(u, [&](std::size_t j, std::size_t lanes) {
          const vec g_j = load(g + j, lanes);
          store(h + j, fma(load(z + j, lanes), load(h + j, lanes) - g_j, g_j), lanes);
        });
      },
      [](std::size_t) {});
}

inline void gru_mix_backward(const RecurrentStep& s) {
  const std::size_t u = s.units;
  float *const room = s.scratch, *const d = room + 2 * u;
  for_valid_rows(
      s,
      [&](std::size_t row) {
        float *const x = s.x + row * s.stride, *const dh = s.h + row * u;
        const float *const before = s.state + row * s.stride,
                           *const g = values_of(s.cell, x + 2 * u, room, 1, u),
                           *const z = values_of(s.gate, x, room + u, 1, u);
        for_each_vector(u, [&](std::size_t j, std::size_t lanes) {
          const vec dh_j = load(dh + j, lanes), z_j = load(z + j, lanes);
          store(d + j, dh_j * (load(before + j, lanes) - load(g + j, lanes)), lanes);
          store(d + u + j, dh_j * (1.0f - z_j), lanes);
          store(dh + j, dh_j * z_j, lanes);
        });
        close_gates(s.gate, x, d, 1, u);
        close_gates(s.cell, x + 2 * u, d + u, 1, u);
      },
      [&](std::size_t row) { zero(s.x + row * s.stride, 3 * u); });
}

// After gru_mix_backward. Without s.r, s.c holds the gradient by reset and gets that by the candidate.
inline void gru_reset_backward(const RecurrentStep& s) {
  const std::size_t u = s.units;
  float *const room = s.scratch, *const d = room + u;
  for_valid_rows(
      s,
      [&](std::size_t row) {
        float *const x = s.x + row * s.stride, *const part = s.r ? s.r + row * s.stride : nullptr,
                     *const dc = s.r ? x + 2 * u : s.c + row * u, *const to = s.r ? part + 2 * u : dc;
        const float *const r = values_of(s.gate, x + u, room, 1, u), *const factor =
                                                                         s.r ? part + 2 * u
                                                                             : s.candidate + row * s.stride;
        for_each_vector(u, [&](std::size_t j, std::size_t lanes) {
          const vec dc_j = load(dc + j, lanes);
          store(d + j, dc_j * load(factor + j, lanes), lanes);
          store(to + j, dc_j * load(r + j, lanes), lanes);
        });
        close_gates(s.gate, x + u, d, 1, u);
        if (part)
          for_each_vector(
              2 * u, [&](std::size_t j, std::size_t lanes) { store(part + j, load(x + j, lanes), lanes); });
      },
      [&](std::size_t row) {
        if (s.r) zero(s.r + row * s.stride, 3 * u);
      });
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

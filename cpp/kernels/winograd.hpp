// Winograd's minimal filtering F(2 x 2, 3 x 3): a 3 x 3 convolution as sixteen products of matrices, with 16
// multiplications where the plain sum has 36 (Lavin and Gray, Fast Algorithms for Convolutional Neural
// Networks, 2016).
//
// A tile is 2 x 2 outputs of a filter, made from 4 x 4 inputs; tiles overlap by two inputs. Kernels, inputs
// and outputs have a form of 16 elements, (4, 4) row by row, and in that form the convolution is a product
// for each element. All forms are linear, so the gradients go through their transposes. Vectors run over
// channels or filters.
#pragma once

#include "gemm.hpp"
#include "kernels.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// The forms along one axis of 4: of inputs, of a kernel's 3 taps and of 2 outputs, and their transposes.
inline void input_form(vec (&x)[4]) {
  const vec a = x[0] - x[2], b = x[1] + x[2], c = x[2] - x[1], d = x[1] - x[3];
  x[0] = a, x[1] = b, x[2] = c, x[3] = d;
}
inline void input_form_transposed(vec (&x)[4]) {
  const vec a = x[0], b = x[1] - x[2] + x[3], c = x[1] + x[2] - x[0], d = -x[3];
  x[0] = a, x[1] = b, x[2] = c, x[3] = d;
}
inline void kernel_form(vec (&x)[4]) {
  const vec ends = (x[0] + x[2]) * 0.5f, middle = x[1] * 0.5f;
  x[3] = x[2], x[1] = ends + middle, x[2] = ends - middle;
}
inline void kernel_form_transposed(vec (&x)[4]) {
  const vec sum = (x[1] + x[2]) * 0.5f, difference = (x[1] - x[2]) * 0.5f;
  x[0] += sum, x[1] = difference, x[2] = sum + x[3];
}
inline void output_form(vec (&x)[4]) {  // of 4 elements, 2 outputs
  x[0] = x[0] + x[1] + x[2], x[1] = x[1] - x[2] - x[3];
}
inline void output_form_transposed(vec (&x)[4]) {
  const vec a = x[0], b = x[1];
  x[1] = a + b, x[2] = a - b, x[3] = -b;
}

// Both axes of a (4, 4) array; the first `used` rows hold something.
template <class Form>
inline void both_axes(vec (&x)[4][4], std::size_t used, Form form) {
#pragma GCC unroll 4
  for (std::size_t i = 0; i < used; ++i) form(x[i]);
#pragma GCC unroll 4
  for (std::size_t j = 0; j < 4; ++j) {
    vec column[4] = {x[0][j], x[1][j], x[2][j], x[3][j]};
    form(column);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) x[i][j] = column[i];
  }
}

inline void store_form(float* to, std::size_t element, const vec (&x)[4][4], std::size_t lanes) {
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i)
#pragma GCC unroll 4
    for (std::size_t j = 0; j < 4; ++j) store(to + (4 * i + j) * element, x[i][j], lanes);
}
inline void load_form(vec (&x)[4][4], const float* from, std::size_t element, std::size_t lanes) {
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i)
#pragma GCC unroll 4
    for (std::size_t j = 0; j < 4; ++j) x[i][j] = load(from + (4 * i + j) * element, lanes);
}

inline void winograd_kernel(float* u, std::size_t element, const float* w, std::size_t channels,
                            std::size_t filters, std::size_t first, std::size_t last) {
  for (std::size_t c = 0; c < channels; ++c)
    for_each_vector(last - first, [&](std::size_t i_f, std::size_t lanes) {
      const std::size_t f = first + i_f;
      vec x[4][4] = {};
#pragma GCC unroll 3
      for (std::size_t i = 0; i < 3; ++i)
#pragma GCC unroll 3
        for (std::size_t j = 0; j < 3; ++j)
          x[i][j] = load(w + ((3 * i + j) * channels + c) * filters + f, lanes);
      both_axes(x, 3, kernel_form);
      store_form(u + f / kPanel * channels * kPanel + c * kPanel + f % kPanel, element, x, kLanes);
    });
}

inline void winograd_kernel_gradient(float* dw, const float* du, std::size_t channels, std::size_t filters) {
  for (std::size_t c = 0; c < channels; ++c)
    for_each_vector(filters, [&](std::size_t f, std::size_t lanes) {
      vec x[4][4];
      load_form(x, du + c * filters + f, channels * filters, lanes);
      both_axes(x, 4, kernel_form_transposed);
#pragma GCC unroll 3
      for (std::size_t i = 0; i < 3; ++i)
#pragma GCC unroll 3
        for (std::size_t j = 0; j < 3; ++j)
          store(dw + ((3 * i + j) * channels + c) * filters + f, x[i][j], lanes);
    });
}

inline void winograd_input(float* v, std::size_t element, const float* x, std::size_t row,
                           std::size_t channels, std::size_t tiles) {
  for (std::size_t t = 0; t < tiles; ++t, x += 2 * channels, v += channels)
    for_each_vector(channels, [&](std::size_t c, std::size_t lanes) {
      vec d[4][4];
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 4; ++i)
#pragma GCC unroll 4
        for (std::size_t j = 0; j < 4; ++j) d[i][j] = load(x + i * row + j * channels + c, lanes);
      both_axes(d, 4, input_form);
      store_form(v + c, element, d, lanes);
    });
}

inline void winograd_input_gradient(float* dx, std::size_t row, const float* dv, std::size_t element,
                                    std::size_t channels, std::size_t tiles) {
  for (std::size_t t = 0; t < tiles; ++t, dx += 2 * channels, dv += channels)
    for_each_vector(channels, [&](std::size_t c, std::size_t lanes) {
      vec d[4][4];
      load_form(d, dv + c, element, lanes);
      both_axes(d, 4, input_form_transposed);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 4; ++i)
#pragma GCC unroll 4
        for (std::size_t j = 0; j < 4; ++j) {
          float* to = dx + i * row + j * channels + c;
          store(to, load(to, lanes) + d[i][j], lanes);
        }
    });
}

inline bool winograd_output(float* y, const float* m, std::size_t element, const float* bias,
                            const WinogradRow& r) {
  vec not_finite{};  // NaN in the end if an output is not finite
  for (std::size_t t = 0; t < r.tiles; ++t, y += 2 * r.filters, m += r.filters) {
    const std::size_t columns = r.columns - 2 * t < 2 ? 1 : 2;
    for_each_vector(r.filters, [&](std::size_t f, std::size_t lanes) {
      vec z[4][4];
      load_form(z, m + f, element, lanes);
      both_axes(z, 4, output_form);
      const vec start = bias ? load(bias + f, lanes) : vec{};
#pragma GCC unroll 2
      for (std::size_t i = 0; i < 2; ++i)
#pragma GCC unroll 2
        for (std::size_t j = 0; j < 2; ++j) {
          if (i >= r.rows || j >= columns) continue;
          const vec value = z[i][j] + start;
          not_finite = fma(value, vec{}, not_finite);
          store(y + (i * r.columns + j) * r.filters + f, value, lanes);
        }
    });
  }
  return lane_bits(not_finite == vec{}) == (1ull << kLanes) - 1;
}

// The same, each tile's maximum after ReLU or not: see conv_pool_four.
inline bool winograd_pooled_output(float* y, std::uint8_t* argmax, const float* m, std::size_t element,
                                   const float* bias, std::size_t tiles, std::size_t filters, bool relu) {
  const vec lowest = broadcast(relu ? 0.0f : -__builtin_inff());
  vec not_finite{};
  for (std::size_t t = 0; t < tiles; ++t, y += filters, m += filters, argmax += argmax ? filters : 0)
    for_each_vector(filters, [&](std::size_t f, std::size_t lanes) {
      vec z[4][4];
      load_form(z, m + f, element, lanes);
      both_axes(z, 4, output_form);
#pragma GCC unroll 4
      for (std::size_t q = 0; q < 4; ++q) not_finite = fma(z[q / 2][q % 2], vec{}, not_finite);
      const vec first = max(z[0][0], z[0][1]), second = max(z[1][0], z[1][1]);
      const vec largest = max(first, second) + (bias ? load(bias + f, lanes) : vec{});
      not_finite = fma(largest, vec{}, not_finite);
      if (argmax)
        store_pairs(argmax + f, greater(second, first), greater(z[1][1], z[1][0]), greater(z[0][1], z[0][0]),
                    greater(largest, lowest), lanes);
      store(y + f, max(largest, lowest), lanes);
    });
  return lane_bits(not_finite == vec{}) == (1ull << kLanes) - 1;
}

inline void winograd_output_gradient(float* dm, std::size_t element, const float* dy, const WinogradRow& r) {
  for (std::size_t t = 0; t < r.tiles; ++t, dy += 2 * r.filters, dm += r.filters) {
    const std::size_t columns = r.columns - 2 * t < 2 ? 1 : 2;
    for_each_vector(r.filters, [&](std::size_t f, std::size_t lanes) {
      vec z[4][4] = {};
#pragma GCC unroll 2
      for (std::size_t i = 0; i < 2; ++i)
#pragma GCC unroll 2
        for (std::size_t j = 0; j < 2; ++j)
          if (i < r.rows && j < columns) z[i][j] = load(dy + (i * r.columns + j) * r.filters + f, lanes);
      both_axes(z, 2, output_form_transposed);
      store_form(dm + f, element, z, lanes);
    });
  }
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

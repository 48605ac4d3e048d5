// Winograd's minimal filtering F(2 x 2, 3 x 3): a 3 x 3 convolution as sixteen matrix products, with 16
// multiplications instead of 36 (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016).
//
// A tile is 2 x 2 outputs of a filter, computed from 4 x 4 inputs; neighbouring tiles share two inputs.
// Transforms map input tiles and kernels to 16 elements, (4, 4) row by row. Each element is one matrix
// product, and the output transform maps the 16 products to the outputs. Transforms are linear, so gradients
// go through their transposes. Vectors run over channels or filters.
#pragma once

#include "gemm.hpp"
#include "kernels.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// The transforms along one axis: of 4 inputs, of 3 kernel taps, to 2 outputs; and their transposes.
inline void input_transform(vec (&x)[4]) {
  const vec a = x[0] - x[2], b = x[1] + x[2], c = x[2] - x[1], d = x[1] - x[3];
  x[0] = a, x[1] = b, x[2] = c, x[3] = d;
}
inline void input_transform_transposed(vec (&x)[4]) {
  const vec a = x[0], b = x[1] - x[2] + x[3], c = x[1] + x[2] - x[0], d = -x[3];
  x[0] = a, x[1] = b, x[2] = c, x[3] = d;
}
inline void kernel_transform(vec (&x)[4]) {
  const vec ends = (x[0] + x[2]) * 0.5f, middle = x[1] * 0.5f;
  x[3] = x[2], x[1] = ends + middle, x[2] = ends - middle;
}
inline void kernel_transform_transposed(vec (&x)[4]) {
  const vec sum = (x[1] + x[2]) * 0.5f, difference = (x[1] - x[2]) * 0.5f;
  x[0] += sum, x[1] = difference, x[2] = sum + x[3];
}
inline void output_transform(vec (&x)[4]) { x[0] = x[0] + x[1] + x[2], x[1] = x[1] - x[2] - x[3]; }
inline void output_transform_transposed(vec (&x)[4]) {
  const vec a = x[0], b = x[1];
  x[1] = a + b, x[2] = a - b, x[3] = -b;
}

// Transforms both axes of a (4, 4) array, whose rows from `used` on are zero.
template <class Transform>
inline void both_axes(vec (&x)[4][4], std::size_t used, Transform transform) {
#pragma GCC unroll 4
  for (std::size_t i = 0; i < used; ++i) transform(x[i]);
#pragma GCC unroll 4
  for (std::size_t j = 0; j < 4; ++j) {
    vec column[4] = {x[0][j], x[1][j], x[2][j], x[3][j]};
    transform(column);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) x[i][j] = column[i];
  }
}

inline void store_elements(float* to, std::size_t element, const vec (&x)[4][4], std::size_t lanes) {
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i)
#pragma GCC unroll 4
    for (std::size_t j = 0; j < 4; ++j) store(to + (4 * i + j) * element, x[i][j], lanes);
}
inline void load_elements(vec (&x)[4][4], const float* from, std::size_t element, std::size_t lanes) {
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
      both_axes(x, 3, kernel_transform);
      store_elements(u + f / kPanel * channels * kPanel + c * kPanel + f % kPanel, element, x, kLanes);
    });
}

inline void winograd_kernel_gradient(float* dw, const float* du, std::size_t channels, std::size_t filters) {
  for (std::size_t c = 0; c < channels; ++c)
    for_each_vector(filters, [&](std::size_t f, std::size_t lanes) {
      vec x[4][4];
      load_elements(x, du + c * filters + f, channels * filters, lanes);
      both_axes(x, 4, kernel_transform_transposed);
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
      both_axes(d, 4, input_transform);
      store_elements(v + c, element, d, lanes);
    });
}

inline void winograd_input_gradient(float* dx, std::size_t row, const float* dv, std::size_t element,
                                    std::size_t channels, std::size_t tiles) {
  for (std::size_t t = 0; t < tiles; ++t, dx += 2 * channels, dv += channels)
    for_each_vector(channels, [&](std::size_t c, std::size_t lanes) {
      vec d[4][4];
      load_elements(d, dv + c, element, lanes);
      both_axes(d, 4, input_transform_transposed);
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
  vec not_finite{};  // becomes NaN if an output is not finite
  for (std::size_t t = 0; t < r.tiles; ++t, y += 2 * r.filters, m += r.filters) {
    const std::size_t columns = r.columns - 2 * t < 2 ? 1 : 2;
    for_each_vector(r.filters, [&](std::size_t f, std::size_t lanes) {
      vec z[4][4];
      load_elements(z, m + f, element, lanes);
      both_axes(z, 4, output_transform);
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

// As winograd_output, with the maximum of each tile, after ReLU if `relu`: see conv_pool_four.
inline bool winograd_pooled_output(float* y, std::uint8_t* argmax, const float* m, std::size_t element,
                                   const float* bias, std::size_t tiles, std::size_t filters, bool relu) {
  const vec lowest = broadcast(relu ? 0.0f : -__builtin_inff());
  vec not_finite{};
  for (std::size_t t = 0; t < tiles; ++t, y += filters, m += filters, argmax += argmax ? filters : 0)
    for_each_vector(filters, [&](std::size_t f, std::size_t lanes) {
      vec z[4][4];
      load_elements(z, m + f, element, lanes);
      both_axes(z, 4, output_transform);
#pragma GCC unroll 4
      for (std::size_t q = 0; q < 4; ++q) not_finite = fma(z[q / 2][q % 2], vec{}, not_finite);
      const vec first = max(z[0][0], z[0][1]), second = max(z[1][0], z[1][1]);
      const vec largest = max(first, second) + (bias ? load(bias + f, lanes) : vec{});
      not_finite = fma(largest, vec{}, not_finite);
      if (argmax)
        store_argmax(argmax + f, greater(second, first), greater(z[1][1], z[1][0]), greater(z[0][1], z[0][0]),
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
      both_axes(z, 2, output_transform_transposed);
      store_elements(dm + f, element, z, lanes);
    });
  }
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

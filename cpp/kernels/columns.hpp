// Sums and affine maps of the columns of matrices (rows, columns).
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

inline void add_wide(double* sum, const float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) sum[i] += static_cast<double>(x[i]);
}

// Calls body.operator()<Vectors>(first column, lanes of the last vector) for blocks of columns.
template <class Body>
inline void for_column_blocks(std::size_t columns, Body body) {
  constexpr std::size_t kBlock = 4;
  std::size_t j = 0;
  for (; j + kBlock * kLanes <= columns; j += kBlock * kLanes) body.template operator()<kBlock>(j, kLanes);
  for (; j < columns; j += kLanes)
    body.template operator()<1>(j, columns - j < kLanes ? columns - j : kLanes);
}

// Sums over rows, which are ld floats apart, of Vectors vectors of columns, the last of `tail` lanes.
// add(sum, at, lanes, j) returns sum plus the term of vector j, whose offset in the block is `at`.
template <std::size_t Vectors, class Add>
inline void column_sums_run(float* y, std::size_t first, std::size_t rows, std::size_t ld, std::size_t tail,
                            Add add) {
  const auto lanes = [&](std::size_t j) { return j + 1 < Vectors ? kLanes : tail; };
  vec sum[Vectors] = {};
  for (std::size_t i = first; i < first + rows; ++i)
    for (std::size_t j = 0; j < Vectors; ++j) sum[j] = add(sum[j], i * ld + j * kLanes, lanes(j), j);
  for (std::size_t j = 0; j < Vectors; ++j) store(y + j * kLanes, sum[j], lanes(j));
}

// As column_sums_run, for many rows: the sums of short runs are added in double. Reading x takes longer.
template <std::size_t Vectors, class Add>
[[gnu::noinline]] void long_column_sums(float* y, std::size_t rows, std::size_t ld, std::size_t tail,
                                        Add add) {
  constexpr std::size_t kRun = 16;
  const std::size_t columns = (Vectors - 1) * kLanes + tail;
  double total[Vectors * kLanes] = {};
  for (std::size_t first = 0; first < rows; first += kRun) {
    column_sums_run<Vectors>(y, first, rows - first < kRun ? rows - first : kRun, ld, tail, add);
    add_wide(total, y, columns);
  }
  for (std::size_t j = 0; j < columns; ++j) y[j] = static_cast<float>(total[j]);
}

template <std::size_t Vectors, class Add>
inline void column_sums_block(float* y, std::size_t rows, std::size_t ld, std::size_t tail, Add add) {
  if (rows <= kShortSum) return column_sums_run<Vectors>(y, 0, rows, ld, tail, add);
  long_column_sums<Vectors>(y, rows, ld, tail, add);
}

inline void column_sums(float* y, const float* x, std::size_t rows, std::size_t columns, std::size_t ld) {
  for_column_blocks(columns, [&]<std::size_t Vectors>(std::size_t first, std::size_t tail) {
    const float* const from = x + first;
    column_sums_block<Vectors>(y + first, rows, ld, tail,
                               [from](vec sum, std::size_t at, std::size_t lanes, std::size_t) {
                                 return sum + load(from + at, lanes);
                               });
  });
}

inline void column_products(float* y, const float* u, const float* x, const float* mean, std::size_t rows,
                            std::size_t columns) {
  for_column_blocks(columns, [&]<std::size_t Vectors>(std::size_t first, std::size_t tail) {
    const float *const us = u + first, *const xs = x + first, *const centre = mean + first;
    column_sums_block<Vectors>(
        y + first, rows, columns, tail, [=](vec sum, std::size_t at, std::size_t lanes, std::size_t j) {
          return fma(load(us + at, lanes), load(xs + at, lanes) - load(centre + j * kLanes, lanes), sum);
        });
  });
}

inline void column_moments(float* shift, float* squares, const float* x, std::size_t rows,
                           std::size_t columns) {
  const float count = static_cast<float>(rows);
  for_column_blocks(columns, [&]<std::size_t Vectors>(std::size_t first, std::size_t tail) {
    const float* const xs = x + first;
    float* const shifts = shift + first;
    column_sums_block<Vectors>(shifts, rows, columns, tail,
                               [=](vec sum, std::size_t at, std::size_t lanes, std::size_t j) {
                                 return sum + (load(xs + at, lanes) - load(xs + j * kLanes, lanes));
                               });
    for (std::size_t j = 0; j < (Vectors - 1) * kLanes + tail; ++j) shifts[j] /= count;
    column_sums_block<Vectors>(
        squares + first, rows, columns, tail, [=](vec sum, std::size_t at, std::size_t lanes, std::size_t j) {
          const vec d =
              load(xs + at, lanes) - load(xs + j * kLanes, lanes) - load(shifts + j * kLanes, lanes);
          return fma(d, d, sum);
        });
  });
}

inline void column_affine(float* y, const float* x, const float* u, const ColumnAffine& c, std::size_t rows,
                          std::size_t columns) {
  for_column_blocks(columns, [&]<std::size_t Vectors>(std::size_t first, std::size_t tail) {
    const auto lanes = [&](std::size_t j) { return j + 1 < Vectors ? kLanes : tail; };
    vec mean[Vectors], scale[Vectors], offset[Vectors], u_scale[Vectors] = {};
    for (std::size_t j = 0; j < Vectors; ++j) {
      const std::size_t at = first + j * kLanes;
      mean[j] = load(c.mean + at, lanes(j));
      scale[j] = load(c.scale + at, lanes(j));
      offset[j] = load(c.offset + at, lanes(j));
      if (u) u_scale[j] = load(c.u_scale + at, lanes(j));
    }
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < Vectors; ++j) {
        const std::size_t at = i * columns + first + j * kLanes;
        vec sum = fma(load(x + at, lanes(j)) - mean[j], scale[j], offset[j]);
        if (u) sum = fma(load(u + at, lanes(j)), u_scale[j], sum);
        store(y + at, sum, lanes(j));
      }
  });
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

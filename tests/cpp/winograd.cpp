#include <functional>

#include "harness.hpp"

namespace nncore::test {
namespace {

using Matrix = std::vector<std::vector<double>>;
const Matrix kInput{{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
const Matrix kKernel{{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
const Matrix kOutput{{1, 1, 1, 0}, {0, 1, -1, -1}};

Matrix transposed(const Matrix& a) {
  Matrix t(a[0].size(), std::vector<double>(a.size()));
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = 0; j < a[0].size(); ++j) t[j][i] = a[i][j];
  return t;
}

// Adds element (i, j) of a @ x @ transpose of a.
void add_form(Expected& e, const Matrix& a, std::size_t i, std::size_t j,
              const std::function<double(std::size_t, std::size_t)>& x) {
  for (std::size_t k = 0; k < a[0].size(); ++k)
    for (std::size_t l = 0; l < a[0].size(); ++l)
      if (a[i][k] * a[j][l] != 0.0) e.add(a[i][k] * a[j][l] * x(k, l));
}

void kernels(Report& r, std::size_t channels, std::size_t filters) {
  const std::size_t panel = r.k.panel, element = (filters + panel - 1) / panel * panel * channels;
  const Array w(9 * channels * filters, 21, -1, 1), du(kWinogradElements * channels * filters, 22, -1, 1);
  Array panels(kWinogradElements * element), u(du.size()), dw(w.size());
  std::vector<Expected> want_u(u.size()), want_dw(w.size());
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t f = 0; f < filters; ++f) {
      for (std::size_t i = 0; i < 4; ++i)
        for (std::size_t j = 0; j < 4; ++j)
          add_form(
              want_u[((4 * i + j) * channels + c) * filters + f], kKernel, i, j,
              [&](std::size_t k, std::size_t l) { return w[((3 * k + l) * channels + c) * filters + f]; });
      for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 3; ++j)
          add_form(
              want_dw[((3 * i + j) * channels + c) * filters + f], transposed(kKernel), i, j,
              [&](std::size_t k, std::size_t l) { return du[((4 * k + l) * channels + c) * filters + f]; });
    }
  for (std::size_t first = 0; first < filters; first += 16)
    r.k.winograd_kernel(panels.data(), element, w.data(), channels, filters, first,
                        filters - first < 16 ? filters : first + 16);
  r.check(panels.intact(), "winograd_kernel", {channels, filters}, "wrote past the end");
  for (std::size_t e = 0; e < kWinogradElements; ++e)
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t f = 0; f < filters; ++f)
        u[(e * channels + c) * filters + f] =
            panels[e * element + f / panel * channels * panel + c * panel + f % panel];
  r.compare("winograd_kernel", {channels, filters}, u, want_u);
  r.k.winograd_kernel_gradient(dw.data(), du.data(), channels, filters);
  r.compare("winograd_kernel_gradient", {channels, filters}, dw, want_dw);
}

void inputs(Report& r, std::size_t tiles, std::size_t channels) {
  const std::size_t row = (2 * tiles + 2) * channels, element = tiles * channels;
  const Array x(4 * row, 23, -1, 1), dv(kWinogradElements * element, 24, -1, 1);
  Array v(dv.size()), dx(x.size(), 0.5f);
  std::vector<Expected> want_v(v.size()), want_dx(dx.size(), exactly(0.5));
  for (std::size_t t = 0; t < tiles; ++t)
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t i = 0; i < 4; ++i)
        for (std::size_t j = 0; j < 4; ++j) {
          add_form(want_v[(4 * i + j) * element + t * channels + c], kInput, i, j,
                   [&](std::size_t k, std::size_t l) { return x[k * row + (2 * t + l) * channels + c]; });
          add_form(
              want_dx[i * row + (2 * t + j) * channels + c], transposed(kInput), i, j,
              [&](std::size_t k, std::size_t l) { return dv[(4 * k + l) * element + t * channels + c]; });
        }
  r.k.winograd_input(v.data(), element, x.data(), row, channels, tiles);
  r.compare("winograd_input", {tiles, channels}, v, want_v);
  r.k.winograd_input_gradient(dx.data(), row, dv.data(), element, channels, tiles);
  r.compare("winograd_input_gradient", {tiles, channels}, dx, want_dx);
}

void outputs(Report& r, std::size_t rows, std::size_t columns, std::size_t filters) {
  const std::size_t tiles = (columns + 1) / 2, element = tiles * filters;
  const WinogradRow of{tiles, rows, columns, filters};
  Array m(kWinogradElements * element, 25, -1, 1);
  const Array bias(filters, 26, -1, 1), dy(rows * columns * filters, 27, -1, 1);
  Array y(dy.size()), dm(m.size());
  std::vector<Expected> want_y(y.size()), want_dm(dm.size());
  for (std::size_t t = 0; t < tiles; ++t)
    for (std::size_t f = 0; f < filters; ++f) {
      const auto inside = [&](std::size_t i, std::size_t j) { return i < rows && 2 * t + j < columns; };
      const auto at = [&](std::size_t i, std::size_t j) { return (i * columns + 2 * t + j) * filters + f; };
      for (std::size_t i = 0; i < 2; ++i)
        for (std::size_t j = 0; j < 2; ++j) {
          if (!inside(i, j)) continue;
          want_y[at(i, j)].add(bias[f]);
          add_form(want_y[at(i, j)], kOutput, i, j,
                   [&](std::size_t k, std::size_t l) { return m[(4 * k + l) * element + t * filters + f]; });
        }
      for (std::size_t i = 0; i < 4; ++i)
        for (std::size_t j = 0; j < 4; ++j)
          add_form(want_dm[(4 * i + j) * element + t * filters + f], transposed(kOutput), i, j,
                   [&](std::size_t k, std::size_t l) { return inside(k, l) ? double{dy[at(k, l)]} : 0.0; });
    }
  const bool finite = r.k.winograd_output(y.data(), m.data(), element, bias.data(), of);
  r.check(finite, "winograd_output: finite", {rows, columns, filters});
  r.compare("winograd_output", {rows, columns, filters}, y, want_y);
  r.k.winograd_output_gradient(dm.data(), element, dy.data(), of);
  r.compare("winograd_output_gradient", {rows, columns, filters}, dm, want_dm);
  if (rows == 2 && columns % 2 == 0)
    for (const bool relu : {false, true}) {
      Array pooled(element);
      std::vector<std::uint8_t> argmax(element);
      const bool known = r.k.winograd_pooled_output(pooled.data(), argmax.data(), m.data(), element,
                                                    bias.data(), tiles, filters, relu);
      bool right = known && pooled.intact();
      for (std::size_t t = 0; t < tiles; ++t)
        for (std::size_t f = 0; f < filters; ++f) {
          float largest = relu ? 0.0f : -std::numeric_limits<float>::infinity();
          std::uint8_t place = 4;
          for (std::size_t q = 0; q < 4; ++q)
            if (const float value = y[(q / 2 * columns + 2 * t + q % 2) * filters + f]; value > largest)
              largest = value, place = static_cast<std::uint8_t>(q);
          right = right && pooled[t * filters + f] == largest && argmax[t * filters + f] == place;
        }
      r.check(right, "winograd_pooled_output", {columns, filters, relu});
    }
  for (const float wrong :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    m[filters - 1] = wrong;
    r.check(
        !r.k.winograd_output(y.data(), m.data(), element, nullptr, of) &&
            !r.k.winograd_pooled_output(dm.data(), nullptr, m.data(), element, nullptr, tiles, filters, true),
        "winograd_output: not finite", {rows, columns, filters});
  }
}

}  // namespace

void test_winograd(Report& r) {
  for (std::size_t n : kSizes) {
    kernels(r, 3, n);
    kernels(r, n, 5);
    for (std::size_t tiles : {1, 3}) inputs(r, tiles, n);
    for (std::size_t rows : {1, 2})
      for (std::size_t columns : {1, 2, 5, 8}) outputs(r, rows, columns, n);
  }
}

}  // namespace nncore::test

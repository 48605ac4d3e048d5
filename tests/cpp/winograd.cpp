#include "harness.hpp"

namespace nncore::test {
namespace {

// One row of tiles: transforms of inputs, kernel and outputs, a product for each element, and gradients.
void convolution(Report& r, const Golden& c, std::size_t channels, std::size_t filters) {
  const std::size_t all_channels = c.setting(0), all_filters = c.setting(1), panel = r.k.panel,
                    tiles = (c.columns + 1) / 2, row = (2 * tiles + 2) * channels;
  const std::initializer_list<std::size_t> sizes = {c.rows, c.columns, channels, filters};
  const auto of_filters = [&](const auto& a) { return cut(a, all_filters, filters); };
  const auto of_both = [&](const auto& a) {
    return cut(of_filters(a), all_channels * filters, channels * filters);
  };
  const Array x = cut(c.inputs.at("x"), all_channels, channels), w = of_both(c.inputs.at("kernel")),
              bias = of_filters(c.inputs.at("bias")), dy = of_filters(c.inputs.at("dy"));
  const std::size_t of_v = tiles * channels, of_m = tiles * filters, of_du = channels * filters,
                    of_u = (filters + panel - 1) / panel * panel * channels;
  const WinogradRow of{tiles, c.rows, c.columns, filters};
  const auto all16 = [&](std::size_t element) { return Array(kWinogradElements * element); };
  Array u = all16(of_u), v = all16(of_v), m = all16(of_m), dm = all16(of_m), dv = all16(of_v);
  Array du = all16(of_du), transposed = all16(of_du), y(dy.size()), dx(x.size(), 0.5f), dw(w.size());

  for (std::size_t first = 0; first < filters; first += 16)
    r.k.winograd_kernel(u.data(), of_u, w.data(), channels, filters, first, std::min(filters, first + 16));
  r.k.winograd_input(v.data(), of_v, x.data(), row, channels, tiles);
  for (std::size_t e = 0; e < kWinogradElements; ++e) {
    multiply(r.k, {.c = {m.data() + e * of_m, filters},
                   .a = {v.data() + e * of_v, signed_size(channels)},
                   .b = {u.data() + e * of_u, panel, channels * panel},
                   .size = {tiles, filters, channels},
                   .scratch = nullptr});
  }
  const bool finite = r.k.winograd_output(y.data(), m.data(), of_m, bias.data(), of);
  r.check(finite && u.intact() && v.intact(), "winograd_output: finite", sizes);
  if (channels == all_channels)  // y is a sum over them
    r.compare("winograd", sizes, y, of_filters(c.outputs.at("y")));

  r.k.winograd_output_gradient(dm.data(), of_m, dy.data(), of);
  for (std::size_t e = 0; e < kWinogradElements; ++e) {
    for (std::size_t i = 0; i < of_du; ++i)
      transposed[e * of_du + i % filters * channels + i / filters] =
          u[e * of_u + i % filters / panel * channels * panel + i / filters * panel + i % filters % panel];
    multiply(r.k, {.c = {dv.data() + e * of_v, channels},
                   .a = {dm.data() + e * of_m, signed_size(filters)},
                   .b = {transposed.data() + e * of_du, channels, panel},
                   .size = {tiles, channels, filters},
                   .scratch = nullptr});
    multiply(r.k, {.c = {du.data() + e * of_du, filters},
                   .a = {v.data() + e * of_v, 1, signed_size(channels)},
                   .b = {dm.data() + e * of_m, filters, panel},
                   .size = {channels, filters, tiles},
                   .scratch = nullptr});
  }
  r.k.winograd_kernel_gradient(dw.data(), du.data(), channels, filters);
  r.compare("winograd_kernel_gradient", sizes, dw, of_both(c.outputs.at("dkernel")));
  r.k.winograd_input_gradient(dx.data(), row, dv.data(), of_v, channels, tiles);
  std::vector<Expected> added = cut(c.outputs.at("dx"), all_channels, channels);
  for (Expected& e : added) e.value += 0.5;
  if (filters == all_filters)  // dx is a sum over them
    r.compare("winograd_input_gradient", sizes, dx, added);
  r.check(dm.intact(), "winograd_output_gradient", sizes, "wrote past the end");

  const auto pooled_output = [&](Array& to, std::uint8_t* argmax, bool relu) {
    return r.k.winograd_pooled_output(to.data(), argmax, m.data(), of_m, bias.data(), tiles, filters, relu);
  };
  Array pooled(of_m);
  for (const bool relu : {false, true}) {
    if (c.rows != 2 || c.columns % 2 != 0) break;
    std::vector<std::uint8_t> argmax(of_m);
    bool right = pooled_output(pooled, argmax.data(), relu) && pooled.intact();
    for (std::size_t i = 0; i < of_m; ++i) {
      float largest = relu ? 0.0f : -std::numeric_limits<float>::infinity();
      std::uint8_t position = 4;
      for (std::uint8_t q = 0; q < 4; ++q)
        if (const float value = y[(q / 2 * c.columns + 2 * (i / filters) + q % 2) * filters + i % filters];
            value > largest)
          largest = value, position = q;
      right = right && pooled[i] == largest && argmax[i] == position;
    }
    r.check(right, "winograd_pooled_output", sizes);
  }
  for (const float wrong :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    m[filters - 1] = wrong;
    const bool known = r.k.winograd_output(y.data(), m.data(), of_m, nullptr, of);
    r.check(!known && !pooled_output(pooled, nullptr, true), "winograd_output: not finite", sizes);
  }
}

}  // namespace

void winograd(Report& r, const Golden& c) {
  for (const std::size_t filters : sizes_to(c.setting(1)))
    for (const std::size_t channels : sizes_to(c.setting(0))) convolution(r, c, channels, filters);
}

}  // namespace nncore::test

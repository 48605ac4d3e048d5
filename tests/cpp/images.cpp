#include "harness.hpp"

namespace nncore::test {
namespace {

void pooling(Report& r, const Golden& c) {
  const auto s = [&](std::size_t i) { return c.setting(i); };
  for (const std::size_t n : sizes_to(s(2))) {
    const Pool2D p{s(0), s(1), n, s(3), s(4), s(5), s(6), s(7), s(8), s(9), s(10)};
    const Array x = cut(c.inputs.at("x"), s(2), n), dy = cut(c.inputs.at("dy"), s(2), n);
    Array y(dy.size(), 9.0f), dx(x.size(), 9.0f);
    const auto compare = [&](const char* name, const Array& got, const char* output) {
      r.compare(name, {c.rows, c.columns, n, p.pool_h, p.pool_w, p.stride_h}, got,
                cut(c.outputs.at(output), s(2), n));
    };
    r.k.max_pool2d(y.data(), x.data(), p);
    compare("max_pool2d", y, "max");
    r.k.max_pool2d_backward(dx.data(), dy.data(), x.data(), y.data(), p);
    compare("max_pool2d_backward", dx, "max_dx");
    r.k.average_pool2d(y.data(), x.data(), p);
    compare("average_pool2d", y, "average");
    r.k.average_pool2d_backward(dx.data(), dy.data(), p);
    compare("average_pool2d_backward", dx, "average_dx");
  }
}

ConvPool shape_of(const Golden& c, std::size_t channels, std::size_t filters, bool relu) {
  const auto s = [&](std::size_t i) { return c.setting(i); };
  return {
      c.rows, c.columns, channels, filters, (c.rows - s(2) + 1) / s(4), (c.columns - s(3) + 1) / s(5), s(2),
      s(3),   s(4),      s(5),     relu};
}

void convolution_with_pooling(Report& r, const Golden& golden, std::size_t filters, bool relu) {
  const ConvPool c = shape_of(golden, golden.setting(0), filters, relu);
  const std::size_t all = golden.setting(1), out = c.out_h * c.out_w * filters,
                    columns = c.in_w - c.kernel_w + 1;
  const Array &x = golden.inputs.at("x"), w = cut(golden.inputs.at("kernel"), all, filters),
              bias = cut(golden.inputs.at("bias"), all, filters);
  const std::initializer_list<std::size_t> sizes = {c.in_h,     c.in_w,   c.channels, c.filters,
                                                    c.kernel_h, c.pool_h, c.pool_w,   c.relu};
  Array y(out), again(out);
  std::vector<PoolWindow> windows(listed_windows(c));
  std::vector<std::uint8_t> argmax(out + 1 + kSlack, 255);
  r.k.conv_pool(y.data(), argmax.data(), windows.data(), x.data(), w.data(), bias.data(), c);
  r.check(argmax[out] == 255, "conv_pool_argmax_end", sizes);
  r.compare("conv_pool", sizes, y, cut(golden.outputs.at(relu ? "relu" : "y"), all, filters));

  const std::vector<Expected> z = cut(golden.outputs.at("z"), all, filters),
                              best = cut(golden.outputs.at("y"), all, filters);
  bool good = true;
  for (std::size_t o = 0; o < out; ++o) {
    const std::size_t q = argmax[o], oy = o / filters / c.out_w, ox = o / filters % c.out_w;
    const double error = 2 * best[o].allowed;
    if (q >= c.pool_h * c.pool_w) {
      good = good && relu && best[o].value < error;
      continue;
    }
    const auto at = [&](std::size_t i) {
      return z[((oy * c.pool_h + i / c.pool_w) * columns + ox * c.pool_w + i % c.pool_w) * filters +
               o % filters]
          .value;
    };
    good = good && std::fabs(at(q) - best[o].value) <= error && (!relu || best[o].value > -error);
    for (std::size_t i = 0; i < q; ++i) good = good && at(i) != at(q);  // the first of equal ones
  }
  r.digest("conv_pool", argmax.data(), out);
  r.check(good, "conv_pool_argmax", sizes);

  r.k.conv_pool(again.data(), nullptr, windows.data(), x.data(), w.data(), bias.data(), c);
  r.check(std::memcmp(again.data(), y.data(), out * sizeof(float)) == 0, "conv_pool_without_argmax", sizes);
}

// The gradients of three samples with arbitrary argmax; a third of dy is zero, and ReLU blocks another third.
void convolution_with_pooling_gradients(Report& r, const Golden& golden, std::size_t channels,
                                        std::size_t filters) {
  const ConvPool c = shape_of(golden, channels, filters, true);
  const std::size_t all_channels = golden.setting(0), all = golden.setting(1), samples = 3;
  const std::size_t in = c.in_h * c.in_w * channels, out = c.out_h * c.out_w * filters,
                    taps = c.kernel_h * c.kernel_w * channels;
  const auto of_channels = [&](const auto& a) { return cut(a, all_channels, channels); };
  const auto of_filters = [&](const auto& a) { return cut(a, a.size(), a.size() / all * filters); };
  const Array x = of_channels(golden.inputs.at("x")),
              w = of_channels(of_filters(golden.inputs.at("transposed")));
  Array dy = cut(golden.inputs.at("dy"), all, filters), outputs(out);
  const std::size_t entries = listed_windows(c) + out / sizeof(PoolWindow) + 2,
                    saved_stride = entries * sizeof(PoolWindow), positions = c.pool_h * c.pool_w;
  std::vector<PoolWindow> windows(samples * entries);
  for (std::size_t s = 0; s < samples; ++s)
    r.k.conv_pool(outputs.data(), nullptr, windows.data() + s * entries, x.data() + s * in, w.data(), nullptr,
                  c);
  std::vector<std::uint8_t> argmax(samples * saved_stride + kSlack, 255);
  for (std::size_t o = 0; o < samples * out; ++o) {
    const std::size_t i = o / filters * all + o % filters;
    argmax[o / out * saved_stride + o % out] =
        static_cast<std::uint8_t>(i % 3 == 2 ? positions : i * i / 7 % positions);
    if (i % 3 == 1) dy[o] = 0.0f;
  }

  const std::initializer_list<std::size_t> sizes = {c.in_h,     c.in_w,     c.channels, c.filters,
                                                    c.kernel_h, c.kernel_w, c.pool_h,   c.pool_w};
  const std::vector<Expected> kernel = of_channels(of_filters(golden.outputs.at("dw"))),
                              bias = of_filters(golden.outputs.at("db")),
                              input = of_channels(golden.outputs.at("dx" + std::to_string(filters)));
  Array dx(in, 9.0f), scratch(conv_pool_scratch(c), 9.0f);
  for (const PoolWindow* listed : {windows.data(), static_cast<PoolWindow*>(nullptr)}) {
    Array dw(filters * taps, 9.0f), db(filters, 9.0f), without_bias(filters * taps, 9.0f);
    const std::size_t middle = filters / 2;
    const auto gradient = [&](std::size_t first, std::size_t count, float* to, float* to_bias) {
      r.k.conv_pool_gradient(to + first * taps, to_bias, dy.data() + first, argmax.data() + first, listed,
                             x.data(), scratch.data(), {samples, saved_stride, count}, c);
    };
    gradient(middle, filters - middle, dw.data(), db.data() + middle);
    if (middle > 0) gradient(0, middle, dw.data(), db.data());
    r.compare("conv_pool_gradient", sizes, dw, kernel);
    r.compare("conv_pool_bias_gradient", sizes, db, bias);
    gradient(0, filters, without_bias.data(), nullptr);
    r.check(std::memcmp(without_bias.data(), dw.data(), filters * taps * sizeof(float)) == 0,
            "conv_pool_gradient_without_bias", sizes);
  }
  r.k.conv_pool_input_gradient(dx.data(), dy.data(), argmax.data(), w.data(), c);
  r.compare("conv_pool_input_gradient", sizes, dx, input);
}

}  // namespace

void test_images(Report& r, const std::vector<Golden>& cases) {
  const auto conv_pool = [](Report& report, const Golden& c) {
    for (const std::size_t filters : sizes_to(c.setting(1)))
      for (const bool relu : {false, true}) convolution_with_pooling(report, c, filters, relu);
  };
  const auto gradients = [](Report& report, const Golden& c) {
    for (const std::size_t filters : sizes_to(c.setting(1)))
      for (const std::size_t channels : sizes_to(c.setting(0)))
        convolution_with_pooling_gradients(report, c, channels, filters);
  };
  run_golden(r, cases, "image",
             {{"pool2d", pooling},
              {"conv_pool", conv_pool},
              {"conv_pool_gradient", gradients},
              {"winograd", winograd}});
}

}  // namespace nncore::test

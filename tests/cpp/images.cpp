#include <algorithm>

#include "harness.hpp"

namespace nncore::test {
namespace {

// Calls body(output, input) with the flat indices of every pair of an output and an input in its window.
template <class Body>
void for_each_in_window(const Pool2D& p, Body body) {
  for (std::size_t oy = 0; oy < p.out_h; ++oy)
    for (std::size_t ox = 0; ox < p.out_w; ++ox)
      for (std::size_t py = 0; py < p.pool_h; ++py)
        for (std::size_t px = 0; px < p.pool_w; ++px) {
          const std::size_t y = oy * p.stride_h + py - p.pad_top, x = ox * p.stride_w + px - p.pad_left;
          if (y >= p.in_h || x >= p.in_w) continue;  // unsigned: before the first is after the last
          for (std::size_t c = 0; c < p.channels; ++c)
            body((oy * p.out_w + ox) * p.channels + c, (y * p.in_w + x) * p.channels + c);
        }
}

void pooling(Report& r, const Pool2D& p) {
  const std::size_t in = p.in_h * p.in_w * p.channels, out = p.out_h * p.out_w * p.channels;
  Array x(in, 41, -1, 1);
  for (std::size_t i = 0; i < in; ++i) x[i] = std::floor(x[i] * 4.0f) / 4.0f;  // with ties
  const Array dy(out, 42, -1, 1);
  Array top(out, -std::numeric_limits<float>::infinity());
  std::vector<Expected> sum(out), average_gradient(in), max_gradient(in);
  std::vector<std::size_t> count(out), taken(out, in);
  for_each_in_window(p, [&](std::size_t o, std::size_t i) {
    if (x[i] > top[o]) top[o] = x[i], taken[o] = i;
    sum[o].add(x[i]);
    ++count[o];
  });
  std::vector<Expected> max(out), average(out);
  for (std::size_t o = 0; o < out; ++o) {
    const double n = static_cast<double>(count[o]);
    max[o] = exactly(top[o]);
    average[o] = {sum[o].value / n, sum[o].magnitude / n};
    max_gradient[taken[o]].add(dy[o]);
  }
  for_each_in_window(p, [&](std::size_t o, std::size_t i) {
    average_gradient[i].add(dy[o] / static_cast<double>(count[o]));
  });

  const std::initializer_list<std::size_t> sizes = {p.in_h,   p.in_w,   p.channels,
                                                    p.pool_h, p.pool_w, p.stride_h};
  Array y(out, 9.0f), dx(in, 9.0f);
  r.k.max_pool2d(y.data(), x.data(), p);
  r.compare("max_pool2d", sizes, y, max, 0.0);
  r.k.max_pool2d_backward(dx.data(), dy.data(), x.data(), top.data(), p);
  r.compare("max_pool2d_backward", sizes, dx, max_gradient);
  r.k.average_pool2d(y.data(), x.data(), p);
  r.compare("average_pool2d", sizes, y, average);
  r.k.average_pool2d_backward(dx.data(), dy.data(), p);
  r.compare("average_pool2d_backward", sizes, dx, average_gradient);
}

Expected convolution(const ConvPool& c, const Array& x, const Array& w, const Array& bias, std::size_t y,
                     std::size_t z, std::size_t filter) {
  Expected e;
  e.add(bias[filter]);
  for (std::size_t h = 0; h < c.kernel_h; ++h)
    for (std::size_t v = 0; v < c.kernel_w; ++v)
      for (std::size_t s = 0; s < c.channels; ++s)
        e.add(static_cast<double>(x[((y + h) * c.in_w + z + v) * c.channels + s]) *
              w[((h * c.kernel_w + v) * c.channels + s) * c.filters + filter]);
  return e;
}

// All but the last third of the rows and columns, so that some windows read nothing but +0.
void clear_border(float* x, const ConvPool& c) {
  for (std::size_t i = 0; i < c.in_h * c.in_w * c.channels; ++i)
    if (3 * (i / c.channels / c.in_w) < 2 * c.in_h || 3 * (i / c.channels % c.in_w) < 2 * c.in_w) x[i] = 0.0f;
}

void convolution_with_pooling(Report& r, ConvPool c, bool blank = false) {
  c.out_h = (c.in_h - c.kernel_h + 1) / c.pool_h, c.out_w = (c.in_w - c.kernel_w + 1) / c.pool_w;
  const std::size_t in = c.in_h * c.in_w * c.channels, out = c.out_h * c.out_w * c.filters,
                    taps = c.kernel_h * c.kernel_w * c.channels;
  Array x(in, 43, -1, 1);
  const Array w(taps * c.filters, 44, -1, 1), bias(c.filters, 45, -1, 1);
  if (blank) clear_border(x.data(), c);
  const std::initializer_list<std::size_t> sizes = {c.in_h,     c.in_w,   c.channels, c.filters,
                                                    c.kernel_h, c.pool_h, c.pool_w,   c.relu};
  Array y(out);
  std::vector<PoolWindow> windows(listed_windows(c));
  std::vector<std::uint8_t> argmax(out + 1 + kSlack, 255);
  r.k.conv_pool(y.data(), argmax.data(), windows.data(), x.data(), w.data(), bias.data(), c);
  r.check(argmax[out] == 255, "conv_pool_argmax_end", sizes);

  std::vector<Expected> want(out);
  bool argmax_good = true;
  for (std::size_t o = 0; o < out; ++o) {
    const std::size_t f = o % c.filters, oy = o / c.filters / c.out_w, ox = o / c.filters % c.out_w;
    Expected best{-1e30, 0.0}, chosen;
    for (std::size_t q = 0; q < c.pool_h * c.pool_w; ++q) {
      const Expected e =
          convolution(c, x, w, bias, oy * c.pool_h + q / c.pool_w, ox * c.pool_w + q % c.pool_w, f);
      if (e.value > best.value) best.value = e.value;
      best.magnitude = std::max(best.magnitude, e.magnitude);
      if (q == argmax[o]) chosen = e;
    }
    const double error = 32 * 0x1p-23 * best.magnitude;
    argmax_good = argmax_good &&
                  (argmax[o] < c.pool_h * c.pool_w
                       ? std::fabs(chosen.value - best.value) <= error && (!c.relu || best.value > -error)
                       : c.relu && best.value < error);
    want[o] = {c.relu ? std::max(best.value, 0.0) : best.value, best.magnitude};
  }
  r.compare("conv_pool", sizes, y, want);
  r.digest("conv_pool", argmax.data(), out);
  r.check(argmax_good, "conv_pool_argmax", sizes);

  Array again(out);
  r.k.conv_pool(again.data(), nullptr, windows.data(), x.data(), w.data(), bias.data(), c);
  r.check(std::memcmp(again.data(), y.data(), out * sizeof(float)) == 0, "conv_pool_without_argmax", sizes);
}

// All gradients, of three samples and any argmax; a third of dy is zero, and of others ReLU lets a third not
// pass.
void convolution_with_pooling_gradients(Report& r, ConvPool c, bool blank = false) {
  c.out_h = (c.in_h - c.kernel_h + 1) / c.pool_h, c.out_w = (c.in_w - c.kernel_w + 1) / c.pool_w;
  const std::size_t in = c.in_h * c.in_w * c.channels, out = c.out_h * c.out_w * c.filters,
                    row = c.kernel_w * c.channels, taps = c.kernel_h * row, samples = 3;
  Array x(samples * in, 46, -1, 1), dy(samples * out, 48, -1, 1), outputs(out);
  const Array w(c.filters * taps, 47, -1, 1);
  const std::size_t entries = listed_windows(c) + out / sizeof(PoolWindow) + 2,
                    kept_stride = entries * sizeof(PoolWindow);
  std::vector<PoolWindow> windows(samples * entries);
  for (std::size_t s = 0; s < samples; ++s) {
    if (blank) clear_border(x.data() + s * in, c);
    r.k.conv_pool(outputs.data(), nullptr, windows.data() + s * entries, x.data() + s * in, w.data(), nullptr,
                  c);
  }
  std::vector<std::uint8_t> argmax(samples * kept_stride + kSlack, 255);
  for (std::size_t i = 0; i < samples * out; ++i) {
    const std::size_t positions = c.pool_h * c.pool_w;
    argmax[i / out * kept_stride + i % out] =
        static_cast<std::uint8_t>(i % 3 == 2 ? positions : i * i / 7 % positions);
    if (i % 3 == 1) dy[i] = 0.0f;
  }

  std::vector<Expected> kernel(c.filters * taps), bias(c.filters), input(in);
  for (std::size_t s = 0; s < samples; ++s) {
    for (std::size_t o = 0; o < out; ++o) {
      const std::size_t f = o % c.filters, oy = o / c.filters / c.out_w, ox = o / c.filters % c.out_w;
      const std::size_t q = argmax[s * kept_stride + o];
      const std::size_t y = oy * c.pool_h + q / c.pool_w, z = ox * c.pool_w + q % c.pool_w;
      if (q >= c.pool_h * c.pool_w) continue;
      const double d = dy[s * out + o];
      bias[f].add(d);
      for (std::size_t t = 0; t < taps; ++t) {
        const std::size_t at = ((y + t / row) * c.in_w + z) * c.channels + t % row;
        kernel[f * taps + t].add(d * x[s * in + at]);
        if (s == 0) input[at].add(d * w[f * taps + t]);
      }
    }
  }

  const std::initializer_list<std::size_t> sizes = {c.in_h,     c.in_w,     c.channels, c.filters,
                                                    c.kernel_h, c.kernel_w, c.pool_h,   c.pool_w};
  Array dx(in, 9.0f), scratch(conv_pool_scratch(c), 9.0f);
  for (const PoolWindow* listed : {windows.data(), static_cast<PoolWindow*>(nullptr)}) {
    Array dw(c.filters * taps, 9.0f), db(c.filters, 9.0f), without_bias(c.filters * taps, 9.0f);
    const std::size_t middle = c.filters / 2;
    const auto gradient = [&](std::size_t first, std::size_t count, float* to, float* to_bias) {
      r.k.conv_pool_gradient(to + first * taps, to_bias, dy.data() + first, argmax.data() + first, listed,
                             x.data(), scratch.data(), {samples, kept_stride, count}, c);
    };
    gradient(middle, c.filters - middle, dw.data(), db.data() + middle);
    if (middle > 0) gradient(0, middle, dw.data(), db.data());
    r.compare("conv_pool_gradient", sizes, dw, kernel);
    r.compare("conv_pool_bias_gradient", sizes, db, bias);
    gradient(0, c.filters, without_bias.data(), nullptr);
    r.check(std::memcmp(without_bias.data(), dw.data(), c.filters * taps * sizeof(float)) == 0,
            "conv_pool_gradient_without_bias", sizes);
  }
  r.k.conv_pool_input_gradient(dx.data(), dy.data(), argmax.data(), w.data(), c);
  r.compare("conv_pool_input_gradient", sizes, dx, input);
}

}  // namespace

void test_images(Report& r) {
  // Sums over more windows than are added in one run.
  convolution_with_pooling_gradients(r, {130, 121, 1, 5, 0, 0, 3, 3, 2, 2, true});
  convolution_with_pooling_gradients(r, {62, 63, 1, 33, 0, 0, 2, 2, 2, 2, true}, true);
  convolution_with_pooling_gradients(r, {90, 70, 2, 3, 0, 0, 2, 3, 1, 2, false});
  for (std::size_t n : kSizes) {
    pooling(r, {4, 6, n, 2, 3, 2, 2, 2, 2, 0, 0});
    pooling(r, {5, 5, n, 3, 3, 3, 3, 2, 2, 1, 1});
    pooling(r, {5, 4, n, 5, 4, 2, 3, 1, 1, 0, 1});
    pooling(r, {3, 7, n, 1, 1, 3, 7, 3, 7, 0, 0});
    for (const bool relu : {false, true}) {
      for (const bool blank : {false, true})
        convolution_with_pooling(r, {14, 15, 1, n, 0, 0, 3, 3, 2, 2, relu}, blank);
      convolution_with_pooling(r, {9, 11, 3, n, 0, 0, 3, 2, 3, 2, relu});
      convolution_with_pooling(r, {7, 6, 5, n, 0, 0, 5, 5, 1, 1, relu});
      convolution_with_pooling(r, {4, 7, n, 5, 0, 0, 1, 3, 2, 5, relu});
    }
    for (const bool blank : {false, true})
      convolution_with_pooling_gradients(r, {9, 8, 1, n, 0, 0, 3, 3, 2, 2, true}, blank);
    convolution_with_pooling_gradients(r, {9, 8, 1, n, 0, 0, 4, 2, 2, 2, true});
    convolution_with_pooling_gradients(r, {9, 9, 3, n, 0, 0, 3, 3, 2, 2, true});
    convolution_with_pooling_gradients(r, {7, 6, 5, n, 0, 0, 5, 5, 1, 1, true});
    convolution_with_pooling_gradients(r, {9, 11, 2, n, 0, 0, 3, 2, 3, 2, true});
    convolution_with_pooling_gradients(r, {12, 11, 2, n, 0, 0, 2, 2, 10, 10, true});
    for (std::size_t kernel : {1, 3, 5})  // n channels: rows of up to 485 taps
      convolution_with_pooling_gradients(r, {7, 8, n, 5, 0, 0, kernel, kernel, 2, 2, true});
  }
  // more terms of a filter than are kept at a time
  convolution_with_pooling_gradients(r, {21, 100, 1, 3, 0, 0, 2, 2, 1, 1, true});
  convolution_with_pooling_gradients(r, {60, 61, 1, 3, 0, 0, 3, 3, 2, 2, true});
}

}  // namespace nncore::test

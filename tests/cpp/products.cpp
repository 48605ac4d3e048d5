#include "harness.hpp"

namespace nncore::test {
namespace {

void multiply(const Kernels& k, Gemm g) {
  Array scratch(k.gemm_scratch);
  g.scratch = scratch.data();
  k.gemm(g);
}

std::ptrdiff_t signed_size(std::size_t n) { return static_cast<std::ptrdiff_t>(n); }

struct Options {
  bool bias, accumulate, packed;
};

// c = a (m, k) @ b (k, n), with b as it stands or packed.
void dense_product(Report& r, std::size_t m, std::size_t n, std::size_t k, Options o) {
  const Array a(m * k, 1, -1, 1), b(k * n, 2, -1, 1), bias(n, 3, -1, 1);
  Array c(m * n, 4, -1, 1);
  std::vector<Expected> want(m * n);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      Expected& e = want[i * n + j];
      if (o.accumulate)
        e.add(c[i * n + j]);
      else if (o.bias)
        e.add(bias[j]);
      for (std::size_t s = 0; s < k; ++s) e.add(static_cast<double>(a[i * k + s]) * b[s * n + j]);
    }

  const std::size_t panel = r.k.panel, panels = (n + panel - 1) / panel;
  Array packed(panels * k * panel, -7.0f), packed_transposed(panels * k * panel, -7.0f), transposed(k * n);
  for (std::size_t s = 0; s < k; ++s)
    for (std::size_t j = 0; j < n; ++j) transposed[j * k + s] = b[s * n + j];
  r.k.pack(packed.data(), k * panel, b.data(), k, n, n);
  r.k.pack_transposed(packed_transposed.data(), k * panel, transposed.data(), k, n, k);
  bool right = packed.intact() && packed_transposed.intact();
  for (std::size_t j = 0; j < panels * panel; ++j)
    for (std::size_t s = 0; s < k; ++s) {
      const std::size_t at = j / panel * k * panel + s * panel + j % panel;
      const float value = j < n ? b[s * n + j] : 0.0f;
      right = right && packed[at] == value && packed_transposed[at] == value;
    }
  r.check(right, "pack", {k, n});

  Gemm g{};
  g.c = c.data(), g.ldc = n;
  g.a = a.data(), g.a_row = signed_size(k), g.a_k = 1;
  g.segment_count = 1;
  g.b = o.packed ? packed.data() : b.data();
  g.b_k = o.packed ? panel : n;
  g.b_panel = o.packed ? k * panel : panel;
  g.bias = o.bias ? bias.data() : nullptr;
  g.m = m, g.n = n, g.k = k, g.accumulate = o.accumulate;
  multiply(r.k, g);
  r.compare("gemm", {m, n, k, o.bias, o.accumulate, o.packed}, c, want);
}

// A valid convolution of x (size, size, channels) with a square kernel: rows are positions, segments are
// kernel rows.
void convolution(Report& r, std::size_t size, std::size_t kernel, std::size_t channels, std::size_t filters) {
  const std::size_t out = size - kernel + 1, k = kernel * channels;
  const Array x(size * size * channels, 5, -1, 1), w(kernel * k * filters, 6, -1, 1);
  std::vector<std::ptrdiff_t> rows, segments;
  for (std::size_t y = 0; y < out; ++y)
    for (std::size_t z = 0; z < out; ++z) rows.push_back(signed_size((y * size + z) * channels));
  for (std::size_t h = 0; h < kernel; ++h) segments.push_back(signed_size(h * size * channels));

  Array c(rows.size() * filters);
  std::vector<Expected> want(c.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t f = 0; f < filters; ++f)
      for (std::size_t h = 0; h < kernel; ++h)
        for (std::size_t s = 0; s < k; ++s)
          want[i * filters + f].add(
              static_cast<double>(x[static_cast<std::size_t>(rows[i] + segments[h]) + s]) *
              w[(h * k + s) * filters + f]);
  Gemm g{};
  g.c = c.data(), g.ldc = filters;
  g.a = x.data(), g.row_offsets = rows.data(), g.a_k = 1;
  g.segments = segments.data(), g.segment_count = segments.size();
  g.b = w.data(), g.b_k = filters, g.b_panel = r.k.panel;
  g.m = rows.size(), g.n = filters, g.k = k;
  multiply(r.k, g);
  r.compare("gemm_segments", {size, kernel, channels, filters}, c, want);
}

// a^T (k, m) @ b: the weight gradient of a dense layer.
void transposed_product(Report& r, std::size_t m, std::size_t n, std::size_t k) {
  const Array a(k * m, 7, -1, 1), b(k * n, 8, -1, 1);
  Array c(m * n);
  std::vector<Expected> want(m * n);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t s = 0; s < k; ++s)
        want[i * n + j].add(static_cast<double>(a[s * m + i]) * b[s * n + j]);
  Gemm g{};
  g.c = c.data(), g.ldc = n;
  g.a = a.data(), g.a_row = 1, g.a_k = signed_size(m);
  g.segment_count = 1;
  g.b = b.data(), g.b_k = n, g.b_panel = r.k.panel;
  g.m = m, g.n = n, g.k = k;
  multiply(r.k, g);
  r.compare("gemm_transposed", {m, n, k}, c, want);
}

// A product whose A is zero in whole runs of k, by rows (m, k) or transposed, with B in panels or not.
// Elements that are zero for all rows of a tile may be left out if B is finite, and only then.
void product_with_zeros(Report& r, std::size_t m, std::size_t n, std::size_t k, bool transposed,
                        bool packed) {
  const std::size_t panel = r.k.panel, panels = (n + panel - 1) / panel;
  Array a(m * k, 17, -1, 1), b(k * n, 18, -1, 1), b_panels(panels * k * panel);
  const auto at = [&](std::size_t i, std::size_t s) { return transposed ? s * m + i : i * k + s; };
  // Runs that shift with the row, so that each tile of rows leaves out others; some elements are negative
  // zero.
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t s = 0; s < k; ++s)
      if ((s + i) / 20 % 3 != 0) a[at(i, s)] = (i + s) % 5 == 0 ? -0.0f : 0.0f;
  const auto run = [&](Array& c, bool b_is_finite) {
    Gemm g{};
    g.c = c.data(), g.ldc = n;
    g.a = a.data(), g.a_row = signed_size(transposed ? 1 : k), g.a_k = signed_size(transposed ? m : 1);
    g.segment_count = 1;
    g.b = packed ? b_panels.data() : b.data();
    g.b_k = packed ? panel : n;
    g.b_panel = packed ? k * panel : panel;
    g.m = m, g.n = n, g.k = k;
    g.b_is_finite = b_is_finite;
    multiply(r.k, g);
  };
  const auto pack = [&] { return r.k.pack(b_panels.data(), k * panel, b.data(), k, n, n); };

  std::vector<Expected> want(m * n);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t s = 0; s < k; ++s)
        want[i * n + j].add(static_cast<double>(a[at(i, s)]) * b[s * n + j]);
  Array c(m * n);
  r.check(pack(), "pack, finite", {k, n});
  run(c, packed);
  r.compare("gemm_zeros", {m, n, k, transposed, packed}, c, want);
  for (std::size_t i = 0; i < m; ++i) a[at(i, k - 1)] = 0.0f;
  for (const float value :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    b[(k - 1) * n + n / 2] = value;
    r.check(!pack(), "pack, not finite", {k, n});
    run(c, false);
    bool right = true;
    for (std::size_t i = 0; i < m * n; ++i) right = right && std::isnan(c[i]) == (i % n == n / 2);
    r.check(right, "gemm_zeros, not finite", {m, n, k, transposed, packed});
  }
}

// x @ transpose of w + bias.
void narrow_product(Report& r, std::size_t m, std::size_t n, std::size_t k) {
  const Array x(m * k, 11, -1, 1), w(n * k, 12, -1, 1), bias(n, 13, -1, 1);
  Array y(m * n);
  std::vector<Expected> want(m * n);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      want[i * n + j].add(bias[j]);
      for (std::size_t s = 0; s < k; ++s)
        want[i * n + j].add(static_cast<double>(x[i * k + s]) * w[j * k + s]);
    }
  r.k.narrow_product(y.data(), x.data(), w.data(), bias.data(), m, n, k);
  r.compare("narrow_product", {m, n, k}, y, want);
}

void sums(Report& r, std::size_t rows, std::size_t columns) {
  const std::size_t ld = columns + 3;
  const Array x(rows * ld, 9, -1, 1);
  Array y(columns, 10, -1, 1);
  std::vector<Expected> want(columns);
  for (std::size_t j = 0; j < columns; ++j)
    for (std::size_t i = 0; i < rows; ++i) want[j].add(x[i * ld + j]);
  r.k.column_sums(y.data(), x.data(), rows, columns, ld);
  r.compare("column_sums", {rows, columns}, y, want);
}

// Strided depthwise convolution of x (size, size, channels + 2), without its last two channels.
void depthwise(Report& r, std::size_t size, std::size_t kernel, std::size_t channels) {
  const std::size_t out = (size - kernel) / 2 + 1, ld = channels + 2;
  std::vector<std::ptrdiff_t> positions, taps;
  for (std::size_t y = 0; y < out; ++y)
    for (std::size_t z = 0; z < out; ++z) positions.push_back(signed_size((y * size + z) * 2 * ld));
  for (std::size_t h = 0; h < kernel; ++h)
    for (std::size_t z = 0; z < kernel; ++z) taps.push_back(signed_size((h * size + z) * ld));
  const Array x(size * size * ld, 13, -1, 1), w(taps.size() * ld, 14, -1, 1), bias(channels, 15, -1, 1),
      dy(positions.size() * ld, 16, -1, 1);
  Array y(positions.size() * ld, -7.0f), dx(x.size(), 0.5f), dw(w.size(), 0.25f);
  std::vector<Expected> want_y(y.size(), exactly(-7.0)), want_dx(dx.size(), exactly(0.5)),
      want_dw(dw.size(), exactly(0.25));
  for (std::size_t p = 0; p < positions.size(); ++p)
    for (std::size_t c = 0; c < channels; ++c) {
      want_y[p * ld + c] = exactly(bias[c]);
      for (std::size_t t = 0; t < taps.size(); ++t) {
        const auto at = static_cast<std::size_t>(positions[p] + taps[t]) + c;
        want_y[p * ld + c].add(static_cast<double>(x[at]) * w[t * ld + c]);
        want_dx[at].add(static_cast<double>(dy[p * ld + c]) * w[t * ld + c]);
        want_dw[t * ld + c].add(static_cast<double>(dy[p * ld + c]) * x[at]);
      }
    }
  const Depthwise d{positions.data(), positions.size(), taps.data(), taps.size(), ld, channels};
  r.k.depthwise(y.data(), x.data(), w.data(), bias.data(), d);
  r.compare("depthwise", {size, kernel, channels}, y, want_y);
  r.k.depthwise_input_gradient(dx.data(), dy.data(), w.data(), d);
  r.compare("depthwise_input_gradient", {size, kernel, channels}, dx, want_dx);
  r.k.depthwise_gradient(dw.data(), ld, x.data(), dy.data(), d);
  r.compare("depthwise_gradient", {size, kernel, channels}, dw, want_dw);
}

}  // namespace

void test_products(Report& r) {
  // more rows than keep their part of A in the cache
  dense_product(r, 150, 130, 1500, {true, false, true});
  dense_product(r, 150, 130, 1500, {false, true, false});
  for (std::size_t n : kSizes) {
    for (std::size_t m : {1, 2, 5, 6, 7, 8, 13, 16, 17, 33})
      for (std::size_t k : {1, 3, 16, 65}) dense_product(r, m, n, k, {true, false, true});
    for (std::size_t m : {1, 3, 4, 9})
      for (std::size_t k : {1, 15, 16, 33, 300}) narrow_product(r, m, n, k);
    dense_product(r, 9, n, 17, {true, false, false});
    dense_product(r, 9, n, 17, {false, true, true});
    dense_product(r, 9, n, 17, {false, false, false});
    dense_product(r, 4, n, 0, {true, false, true});
    dense_product(r, 3, n, 257, {true, false, true});
    dense_product(r, 3, n, 600, {false, true, true});
    dense_product(r, 65, n, 300, {true, false, false});
    depthwise(r, 7, 1, n);
    depthwise(r, 10, 3, n);
    depthwise(r, 9, 4, n);
    convolution(r, 6, 3, 1, n);
    convolution(r, 9, 5, 3, n);
    convolution(r, 4, 1, 2, n);
    for (std::size_t m : kSizes) transposed_product(r, m, n, 11);
    for (std::size_t rows : {1, 2, 7, 33, 4096, 4097, 5000}) sums(r, rows, n);

    const Array x(n, 11, -1, 1);
    Array y(n, 12, -1, 1), z(n);
    std::vector<Expected> added(n), rescaled(n);
    for (std::size_t i = 0; i < n; ++i) {
      added[i].add(y[i]), added[i].add(x[i]);
      rescaled[i].add(0.3f * static_cast<double>(x[i])), rescaled[i].add(-0.7f);
    }
    r.k.add(y.data(), x.data(), n);
    r.compare("add", {n}, y, added);
    r.k.rescale(z.data(), x.data(), 0.3f, -0.7f, n);
    r.compare("rescale", {n}, z, rescaled);
  }
  convolution(r, 12, 3, 64, 33);
  for (const bool transposed : {false, true})
    for (const bool packed : {false, true}) {
      product_with_zeros(r, 80, 200, 300, transposed, packed);
      product_with_zeros(r, 49, 128, 65, transposed, packed);
      product_with_zeros(r, 9, 130, 600, transposed, packed);
    }
}

}  // namespace nncore::test

#include "harness.hpp"

namespace nncore::test {
namespace {

Array transposed(const Array& a, std::size_t rows, std::size_t columns) {
  Array t(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) t[i % columns * rows + i / columns] = a[i];
  return t;
}

struct Panels {
  Array values;
  bool finite;
};

// Packs b (k, n) into panels; the last is padded with zeros.
Panels pack(Report& r, const Array& b, std::size_t k, std::size_t n) {
  const std::size_t panel = r.k.panel, panels = (n + panel - 1) / panel;
  Array packed(panels * k * panel, -7.0f), packed_transposed(panels * k * panel, -7.0f);
  const bool finite = r.k.pack(packed.data(), k * panel, b.data(), k, n, n);
  r.k.pack_transposed(packed_transposed.data(), k * panel, transposed(b, k, n).data(), k, n, k);
  bool right = packed.intact() && packed_transposed.intact();
  for (std::size_t j = 0; j < panels * panel; ++j)
    for (std::size_t s = 0; s < k; ++s) {
      const std::size_t at = j / panel * k * panel + s * panel + j % panel;
      const float value = j < n ? b[s * n + j] : 0.0f;
      const auto same = [&](float got) { return got == value || (std::isnan(got) && std::isnan(value)); };
      right = right && same(packed[at]) && same(packed_transposed[at]);
    }
  r.check(right, "pack", {k, n});
  return {packed, finite};
}

// The product of a (m, k) or its transpose and b (k, n) or its panels.
Gemm product(Report& r, Array& c, const Array& a, bool a_transposed, const Array& b, bool packed,
             std::size_t m, std::size_t n, std::size_t k) {
  const std::size_t panel = r.k.panel;
  return {.c = {c.data(), n},
          .a = {a.data(), signed_size(a_transposed ? 1 : k), signed_size(a_transposed ? m : 1)},
          .b = {b.data(), packed ? panel : n, packed ? k * panel : panel},
          .size = {m, n, k},
          .scratch = nullptr};
}

// The first m rows and n columns of a product, in every layout; the bias is added, or y starts with it.
void dense(Report& r, const Golden& c) {
  const Array &all = c.inputs.at("x"), &kernel = c.inputs.at("kernel");
  const std::size_t k = c.setting(0);
  const bool biased = c.inputs.contains("bias");
  for (const std::size_t n : sizes_to(c.columns)) {
    const Array b = cut(kernel, c.columns, n), panels = pack(r, b, k, n).values, w = transposed(b, k, n),
                bias = biased ? cut(c.inputs.at("bias"), c.columns, n) : Array(n);
    const std::vector<Expected> every = cut(c.outputs.at("y"), c.columns, n);
    for (const std::size_t m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97, 150}) {
      if (m > c.rows) break;
      const Array x = cut(all, c.rows * k, m * k), x_transposed = transposed(x, m, k);
      const std::vector<Expected> want = cut(every, c.rows * n, m * n);
      for (const bool a_transposed : {false, true})
        for (const bool packed : {false, true})
          for (const bool accumulate : {false, true}) {
            Array y(m * n);
            Gemm g = product(r, y, a_transposed ? x_transposed : x, a_transposed, packed ? panels : b, packed,
                             m, n, k);
            g.accumulate = accumulate;
            for (std::size_t i = 0; i < m * n; ++i) y[i] = accumulate ? bias[i % n] : 9.0f;
            g.bias = biased && !accumulate ? bias.data() : nullptr;
            multiply(r.k, g);
            r.compare(a_transposed ? "gemm_transposed" : "gemm", {m, n, k, accumulate, packed}, y, want);
          }
      if (m > 9) continue;
      Array y(m * n);
      r.k.narrow_product(y.data(), x.data(), w.data(), biased ? bias.data() : nullptr, m, n, k);
      r.compare("narrow_product", {m, n, k}, y, want);
    }
  }
}

// A convolution of x (size, size, channels) without padding: rows are positions, segments are kernel rows.
void convolution(Report& r, const Golden& c) {
  const std::size_t size = c.rows, kernel = c.setting(0), channels = c.setting(1), out = size - kernel + 1;
  std::vector<std::ptrdiff_t> rows, segments;
  for (std::size_t y = 0; y < out; ++y)
    for (std::size_t z = 0; z < out; ++z) rows.push_back(signed_size((y * size + z) * channels));
  for (std::size_t h = 0; h < kernel; ++h) segments.push_back(signed_size(h * size * channels));
  for (const std::size_t n : sizes_to(c.columns)) {
    const Array w = cut(c.inputs.at("kernel"), c.columns, n);
    Array y(rows.size() * n);
    Gemm g = product(r, y, c.inputs.at("x"), false, w, false, rows.size(), n, kernel * channels);
    g.a.rows = rows.data(), g.segments = {segments.data(), segments.size()};
    multiply(r.k, g);
    r.compare("gemm_segments", {size, kernel, channels, n}, y, cut(c.outputs.at("y"), c.columns, n));
  }
}

// A product whose A is zero in runs of k. Elements that are zero in all rows of a tile may be skipped only if
// B is finite, which does not change the result.
void product_with_zeros(Report& r, std::size_t m, std::size_t n, std::size_t k, bool a_transposed,
                        bool packed) {
  Array a(m * k, 17, -1, 1), b(k * n, 18, -1, 1), whole(m * n), c(m * n);
  const auto at = [&](std::size_t i, std::size_t s) { return a_transposed ? s * m + i : i * k + s; };
  // Runs shift with the row, so that each tile skips other elements; some zeros are negative.
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t s = 0; s < k; ++s)
      if ((s + i) / 20 % 3 != 0) a[at(i, s)] = (i + s) % 5 == 0 ? -0.0f : 0.0f;
  Panels panels = pack(r, b, k, n);
  const auto run = [&](Array& to, bool in_panels, bool b_is_finite) {
    Gemm g = product(r, to, a, a_transposed, in_panels ? panels.values : b, in_panels, m, n, k);
    g.b_is_finite = b_is_finite;
    multiply(r.k, g);
  };
  run(whole, true, false);  // nothing is skipped unless B is declared finite
  run(c, packed, packed);
  bool same = panels.finite && c.intact();
  for (std::size_t i = 0; i < m * n; ++i) same = same && c[i] == whole[i];
  r.digest("gemm_zeros", c.data(), m * n * sizeof(float));
  r.check(same, "gemm_zeros", {m, n, k, a_transposed, packed});
  for (std::size_t i = 0; i < m; ++i) a[at(i, k - 1)] = 0.0f;
  for (const float value :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    b[(k - 1) * n + n / 2] = value;
    panels = pack(r, b, k, n);
    run(c, packed, false);
    bool right = !panels.finite;
    for (std::size_t i = 0; i < m * n; ++i) right = right && std::isnan(c[i]) == (i % n == n / 2);
    r.check(right, "gemm_zeros, not finite", {m, n, k, a_transposed, packed});
  }
}

// Column sums, and `add` for two rows.
void sums(Report& r, const Golden& c) {
  const Array& x = c.inputs.at("x");
  for (const std::size_t n : kSizes) {
    const std::vector<Expected> want = cut(c.outputs.at("y"), c.columns, n);
    const Array columns = cut(x, c.columns, n + 3);
    Array y(n, 9.0f);
    r.k.column_sums(y.data(), columns.data(), c.rows, n, n + 3);
    r.compare("column_sums", {c.rows, n}, y, want);
    if (c.rows != 2) continue;
    Array first = cut(x, x.size(), n);
    r.k.add(first.data(), x.data() + c.columns, n);
    r.compare("add", {n}, first, want);
  }
}

void rescale(Report& r, const Golden& c) {
  for (const std::size_t n : kSizes) {
    const Array x = cut(c.inputs.at("x"), c.columns, n);
    Array y(n);
    r.k.rescale(y.data(), x.data(), c.settings[0], c.settings[1], n);
    r.compare("rescale", {n}, y, cut(c.outputs.at("y"), c.columns, n));
  }
}

// Depthwise convolution with stride 2 of x (size, size, n + 2), whose last two channels are left alone.
void depthwise(Report& r, const Golden& c) {
  const std::size_t size = c.rows, kernel = c.setting(0), out = (size - kernel) / 2 + 1;
  for (const std::size_t n : kSizes) {
    const std::size_t ld = n + 2;
    std::vector<std::ptrdiff_t> positions, taps;
    for (std::size_t y = 0; y < out; ++y)
      for (std::size_t z = 0; z < out; ++z) positions.push_back(signed_size((y * size + z) * 2 * ld));
    for (std::size_t h = 0; h < kernel; ++h)
      for (std::size_t z = 0; z < kernel; ++z) taps.push_back(signed_size((h * size + z) * ld));
    const auto input = [&](const char* name) { return cut(c.inputs.at(name), c.columns, ld); };
    // The last two channels keep the value `before`; gradients are added to it.
    const auto compare = [&](const std::string& name, const Array& got, const char* output, float before) {
      std::vector<Expected> want = cut(c.outputs.at(output), c.columns, ld);
      for (std::size_t i = 0; i < want.size(); ++i)
        if (i % ld >= n)
          want[i] = {before, 0.0};
        else if (before > 0.0f)
          want[i].value += before, want[i].allowed += 16 * 0x1p-23 * before;
      r.compare(name, {size, kernel, n}, got, want);
    };
    const Array x = input("x"), w = input("kernel"), bias = input("bias"), dy = input("dy");
    Array y(dy.size(), -7.0f), dx(x.size(), 0.5f), dw(w.size(), 0.25f);
    const Depthwise d{positions.data(), positions.size(), taps.data(), taps.size(), ld, n};
    r.k.depthwise(y.data(), x.data(), w.data(), bias.data(), d);
    compare("depthwise", y, "y", -7.0f);
    r.k.depthwise_input_gradient(dx.data(), dy.data(), w.data(), d);
    compare("depthwise_input_gradient", dx, "dx", 0.5f);
    r.k.depthwise_gradient(dw.data(), ld, x.data(), dy.data(), d);
    compare("depthwise_gradient", dw, "dkernel", 0.25f);
  }
}

}  // namespace

void test_products(Report& r, const std::vector<Golden>& cases) {
  run_golden(r, cases, "product",
             {{"dense", dense},
              {"conv2d", convolution},
              {"depthwise", depthwise},
              {"sums", sums},
              {"rescale", rescale}});
  for (const bool a_transposed : {false, true})
    for (const bool packed : {false, true}) {
      product_with_zeros(r, 80, 200, 300, a_transposed, packed);
      product_with_zeros(r, 49, 128, 65, a_transposed, packed);
      product_with_zeros(r, 9, 130, 600, a_transposed, packed);
    }
}

}  // namespace nncore::test

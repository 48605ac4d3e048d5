#include "harness.hpp"

namespace nncore::test {
namespace {

void dropout(Report& r, std::size_t n) {
  const Array x(n, 23, 1, 2);
  const float rate = 0.25f;
  Array whole(n), parts(n);
  r.k.dropout(whole.data(), x.data(), 77, 1000, rate, n);
  const std::size_t half = n / 2;
  r.k.dropout(parts.data(), x.data(), 77, 1000, rate, half);
  r.k.dropout(parts.data() + half, x.data() + half, 77, 1000 + half, rate, n - half);
  bool good = whole.intact() && parts.intact();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < n; ++i) {
    kept += whole[i] != 0.0f;
    good = good && whole[i] == parts[i];
    good = good && (whole[i] == 0.0f || std::fabs(whole[i] * (1.0f - rate) - x[i]) < 1e-6f);
  }
  if (n >= 4096) good = good && std::fabs(static_cast<double>(kept) / static_cast<double>(n) - 0.75) < 0.03;
  r.digest("dropout", whole.data(), n * sizeof(float));
  r.check(good, "dropout", {n, kept});
}

void updates(Report& r, std::size_t n) {
  const Array g(n, 24, -1, 1), w0(n, 25, -1, 1), m0(n, 26, -1, 1), v0(n, 27, 0.001, 1);
  std::vector<Expected> w(n), m(n), v(n);
  const Adam a{0.01f, 0.1f, 0.001f, 1e-7f};
  for (std::size_t i = 0; i < n; ++i) {
    m[i].add(m0[i]), m[i].add((static_cast<double>(g[i]) - m0[i]) * a.gain_1);
    v[i].add(v0[i]), v[i].add((static_cast<double>(g[i]) * g[i] - v0[i]) * a.gain_2);
    w[i].add(w0[i]), w[i].add(-m[i].value * a.rate / (std::sqrt(v[i].value) + a.epsilon));
  }
  Array gw = w0, gm = m0, gv = v0;
  r.k.adam(gw.data(), gm.data(), gv.data(), g.data(), a, n);
  r.compare("adam", {n, 0}, gw, w);
  r.compare("adam", {n, 1}, gm, m);
  r.compare("adam", {n, 2}, gv, v);

  const float rate = 0.125f;
  for (std::size_t i = 0; i < n; ++i) w[i] = {}, w[i].add(w0[i]), w[i].add(-static_cast<double>(rate) * g[i]);
  gw = w0;
  r.k.sgd(gw.data(), g.data(), Sgd{rate, 0.0f, false}, n);
  r.compare("sgd", {n}, gw, w);

  for (const bool nesterov : {false, true}) {
    const Sgd s{rate, 0.9f, nesterov};
    for (std::size_t i = 0; i < n; ++i) {
      const double step = -static_cast<double>(rate) * g[i];
      m[i] = {}, m[i].add(static_cast<double>(s.momentum) * m0[i]), m[i].add(step);
      w[i] = {}, w[i].add(w0[i]);
      if (nesterov) w[i].add(s.momentum * m[i].value), w[i].add(step);
      if (!nesterov) w[i].add(m[i].value);
    }
    gw = w0, gm = m0;
    r.k.sgd_momentum(gw.data(), gm.data(), g.data(), s, n);
    r.compare("sgd_momentum", {n, nesterov, 0}, gw, w);
    r.compare("sgd_momentum", {n, nesterov, 1}, gm, m);
  }
}

}  // namespace

void test_elementwise(Report& r) {
  for (std::size_t n : kSizes) {
    dropout(r, n);
    updates(r, n);
  }
  dropout(r, 5000);
}

}  // namespace nncore::test

#include "../../cpp/network/optimizer.hpp"
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
  Array gw = w0, gm = m0, gv = v0;
  const auto step = [&](Optimizer optimizer) {
    gw = w0, gm = m0, gv = v0;
    float* const moments[kMostMoments] = {gm.data(), gv.data()};
    optimizer.begin(1);
    optimizer.update(r.k, gw.data(), moments, g.data(), n);
  };

  for (std::size_t i = 0; i < n; ++i) {
    m[i].add(m0[i]), m[i].add((static_cast<double>(g[i]) - m0[i]) * 0.1);
    v[i].add(v0[i]), v[i].add((static_cast<double>(g[i]) * g[i] - v0[i]) * 0.001);
    w[i].add(w0[i]), w[i].add(-m[i].value * 0.1 * std::sqrt(0.001) / 0.1 / (std::sqrt(v[i].value) + 1e-7));
  }
  step(Optimizer({"adam", {{"learning_rate", 0.1}}}));
  r.compare("adam", {n, 0}, gw, w);
  r.compare("adam", {n, 1}, gm, m);
  r.compare("adam", {n, 2}, gv, v);

  for (std::size_t i = 0; i < n; ++i) w[i] = {}, w[i].add(w0[i]), w[i].add(-0.125 * g[i]);
  step(Optimizer({"sgd", {{"learning_rate", 0.125}}}));
  r.compare("sgd", {n}, gw, w);

  for (const bool nesterov : {false, true}) {
    for (std::size_t i = 0; i < n; ++i) {
      m[i] = {}, m[i].add(0.9 * m0[i]), m[i].add(-0.125 * g[i]);
      w[i] = {}, w[i].add(w0[i]);
      if (nesterov) w[i].add(0.9 * m[i].value), w[i].add(-0.125 * g[i]);
      if (!nesterov) w[i].add(m[i].value);
    }
    const char* const kind = nesterov ? "sgd_nesterov" : "sgd_momentum";
    step(Optimizer({kind, {{"learning_rate", 0.125}, {"momentum", 0.9}}}));
    r.compare(kind, {n, 0}, gw, w);
    r.compare(kind, {n, 1}, gm, m);
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

#include <functional>

#include "harness.hpp"

namespace nncore::test {
namespace {

using Function = std::function<double(double)>;

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

struct ActivationCase {
  const char* name;
  Activation kind;
  float alpha;
  Function f;
};

const std::vector<ActivationCase>& activation_cases() {
  static const std::vector<ActivationCase> cases = {
      {"linear", Activation::linear, 0.0f, [](double x) { return x; }},
      {"relu", Activation::relu, 0.0f, [](double x) { return x > 0 ? x : 0.0; }},
      {"leaky_relu", Activation::leaky_relu, 0.25f, [](double x) { return x > 0 ? x : 0.25 * x; }},
      {"elu", Activation::elu, 1.5f, [](double x) { return x > 0 ? x : 1.5 * std::expm1(x); }},
      {"sigmoid", Activation::sigmoid, 0.0f, sigmoid},
      {"tanh", Activation::tanh, 0.0f, [](double x) { return std::tanh(x); }},
      {"softplus", Activation::softplus, 0.0f, [](double x) { return std::log1p(std::exp(x)); }},
      {"silu", Activation::silu, 0.0f, [](double x) { return x * sigmoid(x); }},
      {"gelu", Activation::gelu, 0.0f, [](double x) { return 0.5 * x * std::erfc(-x * std::sqrt(0.5)); }},
      {"gelu_tanh", Activation::gelu_tanh, 0.0f,
       [](double x) {
         const double inner = std::sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
         return 0.5 * x * (1.0 + std::tanh(inner));
       }},
  };
  return cases;
}

double derivative(const Function& f, double x) {
  const double h = 1e-5;
  return (f(x + h) - f(x - h)) / (2 * h);
}

void activations(Report& r, std::size_t n) {
  const Array x(n, 21, -6, 6), dy(n, 22, -1, 1);
  for (const ActivationCase& c : activation_cases()) {
    Array y(n), dx(n), xy(n);
    std::vector<Expected> value(n), gradient(n);
    for (std::size_t i = 0; i < n; ++i) {
      const double v = c.f(x[i]), d = derivative(c.f, x[i]);
      value[i] = {v, std::fabs(v) + 0.25};  // absolute near zero: tails of sigmoid and gelu cancel
      xy[i] = row_of(c.kind).reads == Reads::input ? x[i] : static_cast<float>(v);
      gradient[i] = {dy[i] * d, std::fabs(dy[i]) * (std::fabs(d) + 0.25)};
    }
    const ActivationKernels& f = r.k.activation[static_cast<int>(c.kind)];
    f.forward(y.data(), x.data(), &c.alpha, 1, n);
    r.compare(c.name, {n}, y, value);
    f.backward(dx.data(), dy.data(), xy.data(), &c.alpha, 1, n);
    r.compare(c.name + std::string("_backward"), {n}, dx, gradient, 64.0);
  }
}

void extremes(Report& r) {
  const float infinity = std::numeric_limits<float>::infinity();
  Array x(5), y(5);
  x[0] = -infinity, x[1] = -1000.0f, x[2] = 0.0f, x[3] = 1000.0f, x[4] = infinity;
  for (const ActivationCase& c : activation_cases()) {
    if (c.kind == Activation::linear) continue;
    const ActivationKernels& f = r.k.activation[static_cast<int>(c.kind)];
    f.forward(y.data(), x.data(), &c.alpha, 1, 5);
    bool good = std::isfinite(y[1]) && std::isfinite(y[2]) && std::isfinite(y[3]);
    const bool saturates = c.kind == Activation::sigmoid || c.kind == Activation::tanh;
    good = good && (saturates ? y[3] == 1.0f && y[4] == 1.0f : y[3] == 1000.0f && y[4] == infinity);
    r.check(good, c.name + std::string("_extremes"), {5});
    Array one(1, std::numeric_limits<float>::quiet_NaN()), result(1);
    f.forward(result.data(), one.data(), &c.alpha, 1, 1);
    r.check(std::isnan(result[0]), c.name + std::string("_nan"), {1});
  }
}

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
    activations(r, n);
    dropout(r, n);
    updates(r, n);
  }
  dropout(r, 5000);
  extremes(r);
}

}  // namespace nncore::test

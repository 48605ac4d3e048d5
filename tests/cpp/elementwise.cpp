#include "../../cpp/training/optimizer.hpp"
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

// Mean and variance, the same numbers in parts, and the two ways to apply them.
void noise(Report& r, std::size_t n) {
  const Array x(n, 29, 1, 2);
  Array whole(n), parts(n), scaled(n);
  const float deviation = 0.5f;
  const std::size_t half = n / 2;
  r.k.noise(whole.data(), x.data(), 77, 1000, deviation, false, n);
  r.k.noise(parts.data(), x.data(), 77, 1000, deviation, false, half);
  r.k.noise(parts.data() + half, x.data() + half, 77, 1000 + half, deviation, false, n - half);
  r.k.noise(scaled.data(), x.data(), 77, 1000, deviation, true, n);
  bool good = whole.intact() && parts.intact() && scaled.intact();
  double sum = 0.0, squares = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const float g = whole[i] - x[i];
    sum += static_cast<double>(g), squares += static_cast<double>(g * g);
    good = good && whole[i] == parts[i] && std::fabs(g) < 3.0f;
    good = good && std::fabs(scaled[i] - x[i] * (1.0f + g)) < 2e-6f;
  }
  const auto count = static_cast<double>(n);
  if (n >= 4096) good = good && std::fabs(sum / count) < 0.03 && std::fabs(squares / count - 0.25) < 0.03;
  r.digest("noise", whole.data(), n * sizeof(float));
  r.check(good, "noise", {n});
}

void update(Report& r, const Golden& c, const OptimizerRow& row) {
  Spec spec{c.name, {{kWeightDecay.name, static_cast<double>(c.settings.back())}}};
  for (std::size_t i = 0; i + 1 < c.settings.size(); ++i)
    spec.attributes[row.settings[i].name] = static_cast<double>(c.settings[i]);
  Optimizer optimizer(spec);
  Array w = c.inputs.at("w");
  std::vector<Array> moments;
  for (const std::string& name : optimizer.moments()) moments.push_back(c.inputs.at(name));
  float* moment_data[kMostMoments] = {};
  for (std::size_t i = 0; i < moments.size(); ++i) moment_data[i] = moments[i].data();
  optimizer.begin(c.rows);
  optimizer.update(r.k, w.data(), moment_data, c.inputs.at("g").data(), c.columns);
  r.compare(c.name, {c.rows, c.columns}, w, c.outputs.at("w"));
  for (std::size_t i = 0; i < moments.size(); ++i) {
    const std::string& name = optimizer.moments()[i];
    r.compare(c.name + "_" + name, {c.rows, c.columns}, moments[i], c.outputs.at(name));
  }
}

}  // namespace

void test_elementwise(Report& r, const std::vector<Golden>& cases) {
  for (std::size_t n : kSizes) dropout(r, n), noise(r, n);
  dropout(r, 5000), noise(r, 5000);
  for_each_golden(r, cases, "optimizer", kOptimizers,
                  [&](const Golden& c, std::size_t row) { update(r, c, kOptimizers[row]); });
}

}  // namespace nncore::test

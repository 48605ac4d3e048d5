#include "harness.hpp"

namespace nncore::test {
namespace {

void loss(Report& r, const Golden& c, LossKernel kernel) {
  const Array &target = c.inputs.at("target"), &x = c.inputs.at("x"), &scale = c.inputs.at("scale");
  const auto run = [&](Array& value, float* dx, const float* from) {
    kernel(value.data(), dx, target.data(), from, scale.data(), c.settings.data(), c.rows, c.columns);
  };
  Array value(c.rows), alone(c.rows), dx(x.size()), in_place = x;
  run(value, dx.data(), x.data());
  r.compare(c.name, {c.rows, c.columns}, value, c.outputs.at("value"));
  r.compare(c.name + "_gradient", {c.rows, c.columns}, dx, c.outputs.at("dx"));
  run(alone, nullptr, x.data());
  run(value, in_place.data(), in_place.data());
  const bool same = std::memcmp(alone.data(), value.data(), c.rows * sizeof(float)) == 0 &&
                    std::memcmp(in_place.data(), dx.data(), dx.size() * sizeof(float)) == 0;
  r.check(same && in_place.intact(), c.name + ", null and in place", {c.rows, c.columns});
}

void metric(Report& r, const Golden& c, MetricKernel kernel) {
  Array value(c.rows);
  kernel(value.data(), c.inputs.at("target").data(), c.inputs.at("x").data(), c.settings.data(), c.rows,
         c.columns);
  r.compare(c.name, {c.rows, c.columns}, value, c.outputs.at("value"));
}

void encode(Report& r, const Golden& c) {
  const Thresholds t{&c.settings[2], c.settings.size() - 2, c.settings[0] != 0.0f, c.settings[1] != 0.0f};
  Array code(c.columns);
  r.k.encode(code.data(), c.inputs.at("target").data(), c.inputs.at("y").data(), t, c.columns);
  r.compare(c.name, {t.count, c.columns}, code, c.outputs.at("code"));
}

// The other results are the same where y, moments or dx is null.
void normalize(Report& r, const Golden& c) {
  const auto input = [&](const char* name) { return c.inputs.at(name).data(); };
  const std::size_t size = c.rows * c.columns;
  Array y(size), alone(size), moments(c.rows * kRowMoments), same(c.rows * kRowMoments);
  const auto run = [&](float* to, float* of_rows) {
    r.k.normalize_rows(to, of_rows, input("x"), input("gamma"), input("beta"), double{c.settings[0]}, c.rows,
                       c.columns);
  };
  run(y.data(), moments.data());
  run(alone.data(), nullptr);
  run(nullptr, same.data());
  r.compare("normalize_rows", {c.rows, c.columns}, y, c.outputs.at("y"));
  Array dx(size), dgamma(c.columns), dbeta(c.columns), gamma_alone(c.columns), beta_alone(c.columns);
  const auto back = [&](float* to, Array& of_gamma, Array& of_beta) {
    r.k.normalize_rows_backward(to, of_gamma.data(), of_beta.data(), input("dy"), input("x"), input("gamma"),
                                moments.data(), c.rows, c.columns);
  };
  back(dx.data(), dgamma, dbeta);
  back(nullptr, gamma_alone, beta_alone);
  r.compare("normalize_rows_backward", {c.rows, c.columns}, dx, c.outputs.at("dx"));
  r.compare("normalize_rows_dgamma", {c.rows, c.columns}, dgamma, c.outputs.at("dgamma"));
  r.compare("normalize_rows_dbeta", {c.rows, c.columns}, dbeta, c.outputs.at("dbeta"));
  const auto equal = [](const Array& a, const Array& b) {
    return b.intact() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
  };
  r.check(equal(y, alone) && equal(moments, same) && equal(dgamma, gamma_alone) && equal(dbeta, beta_alone),
          "normalize_rows, null outputs", {c.rows, c.columns});
}

}  // namespace

void test_rows(Report& r, const std::vector<Golden>& cases) {
  for_each_golden(r, cases, "loss", kLosses,
                  [&](const Golden& c, std::size_t row) { loss(r, c, r.k.loss[row]); });
  std::vector<MetricRow> of_rows;
  for (const MetricRow& row : kMetrics)
    if (!row.counts) of_rows.push_back(row);
  for_each_golden(r, cases, "metric", of_rows,
                  [&](const Golden& c, std::size_t row) { metric(r, c, r.k.metric[row]); });
  for (const Golden& c : cases)
    if (c.family == "counts") encode(r, c);
  run_golden(r, cases, "normalization", {{"rows", normalize}});
}

}  // namespace nncore::test

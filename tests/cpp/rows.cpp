#include <algorithm>
#include <functional>

#include "harness.hpp"

namespace nncore::test {
namespace {

using Row = std::vector<double>;
using RowLoss = std::function<double(const Row& target, const Row& x, double smoothing)>;

Row row_of(const Array& x, std::size_t row, std::size_t columns) {
  return Row(x.data() + row * columns, x.data() + (row + 1) * columns);
}

Row softmax_of(const Row& x) {
  const double top = *std::max_element(x.begin(), x.end());
  Row y(x.size());
  double sum = 0.0;
  for (std::size_t j = 0; j < x.size(); ++j) sum += y[j] = std::exp(x[j] - top);
  for (double& value : y) value /= sum;
  return y;
}

double mean(std::size_t columns, const std::function<double(std::size_t)>& term) {
  double sum = 0.0;
  for (std::size_t j = 0; j < columns; ++j) sum += term(j);
  return sum / static_cast<double>(columns);
}

double binary(const Row& target, const Row& p, double smoothing) {
  return mean(p.size(), [&](std::size_t j) {
    const double t = target[j] * (1.0 - smoothing) + 0.5 * smoothing;
    return -t * std::log(p[j]) - (1.0 - t) * std::log(1.0 - p[j]);
  });
}

double categorical(const Row& target, const Row& p, double smoothing) {
  double sum = 0.0, value = 0.0;
  for (double x : p) sum += x;
  for (std::size_t j = 0; j < p.size(); ++j) {
    const double t = target[j] * (1.0 - smoothing) + smoothing / static_cast<double>(p.size());
    value -= t * std::log(p[j] / sum);
  }
  return value;
}

Row sigmoid_of(Row x) {
  for (double& value : x) value = 1.0 / (1.0 + std::exp(-value));
  return x;
}

Row one_hot(const Row& target, std::size_t columns) {
  Row row(columns);
  row[static_cast<std::size_t>(target[0])] = 1.0;
  return row;
}

struct LossCase {
  const char* name;
  Loss loss;
  enum Targets { values, bits, distribution, classes } targets;
  bool probabilities;  // outputs are in (0, 1) and not logits
  bool smoothing;
  RowLoss f;
};

const std::vector<LossCase>& loss_cases() {
  static const std::vector<LossCase> cases = {
      {"mean_squared_error", Loss::mean_squared_error, LossCase::values, false, false,
       [](const Row& t, const Row& x, double) {
         return mean(x.size(), [&](std::size_t j) { return (x[j] - t[j]) * (x[j] - t[j]); });
       }},
      {"mean_absolute_error", Loss::mean_absolute_error, LossCase::values, false, false,
       [](const Row& t, const Row& x, double) {
         return mean(x.size(), [&](std::size_t j) { return std::fabs(x[j] - t[j]); });
       }},
      {"binary_crossentropy", Loss::binary_crossentropy, LossCase::bits, true, true, binary},
      {"binary_crossentropy_logits", Loss::binary_crossentropy_logits, LossCase::bits, false, true,
       [](const Row& t, const Row& x, double s) { return binary(t, sigmoid_of(x), s); }},
      {"categorical_crossentropy", Loss::categorical_crossentropy, LossCase::distribution, true, true,
       categorical},
      {"categorical_crossentropy_logits", Loss::categorical_crossentropy_logits, LossCase::distribution,
       false, true, [](const Row& t, const Row& x, double s) { return categorical(t, softmax_of(x), s); }},
      {"sparse_categorical_crossentropy", Loss::sparse_categorical_crossentropy, LossCase::classes, true,
       false, [](const Row& t, const Row& x, double) { return categorical(one_hot(t, x.size()), x, 0.0); }},
      {"sparse_categorical_crossentropy_logits", Loss::sparse_categorical_crossentropy_logits,
       LossCase::classes, false, false,
       [](const Row& t, const Row& x, double) {
         return categorical(one_hot(t, x.size()), softmax_of(x), 0.0);
       }},
  };
  return cases;
}

Array targets_of(LossCase::Targets kind, std::size_t rows, std::size_t columns) {
  if (kind == LossCase::classes) {
    Array t(rows, 33, 0, static_cast<double>(columns));
    for (std::size_t i = 0; i < rows; ++i) t[i] = std::floor(t[i]);
    return t;
  }
  Array t(rows * columns, 34, kind == LossCase::values ? -1.0 : 0.0, 1);
  if (kind == LossCase::bits)
    for (std::size_t i = 0; i < t.size(); ++i) t[i] = t[i] < 0.5f ? 0.0f : 1.0f;
  if (kind == LossCase::distribution) {
    for (std::size_t i = 0; i < t.size(); ++i) t[i] = 0.0f;
    for (std::size_t i = 0; i < rows; ++i) t[i * columns + (7 * i + 3) % columns] = 1.0f;
  }
  return t;
}

void losses(Report& r, std::size_t rows, std::size_t columns, const LossCase& c, float smoothing) {
  const Array target = targets_of(c.targets, rows, columns), scale(rows, 35, 0.5, 2);
  const Array x(rows * columns, 36, c.probabilities ? 0.05 : -4, c.probabilities ? 0.95 : 4);
  const auto kernel = r.k.loss[static_cast<int>(c.loss)];
  Array value(rows), alone(rows), dx(x.size());
  std::vector<Expected> want(rows), gradient(x.size());
  for (std::size_t i = 0; i < rows; ++i) {
    Row row = row_of(x, i, columns);
    const Row t = row_of(target, i, c.targets == LossCase::classes ? 1 : columns);
    want[i].value = c.f(t, row, smoothing);
    want[i].magnitude = std::fabs(want[i].value) + 1.0;
    for (std::size_t j = 0; j < columns; ++j) {
      const double h = 1e-5, at = row[j];
      row[j] = at + h;
      const double above = c.f(t, row, smoothing);
      row[j] = at - h;
      const double d = scale[i] * (above - c.f(t, row, smoothing)) / (2 * h);
      row[j] = at;
      gradient[i * columns + j] = {d, std::fabs(d) + 0.1};
    }
  }
  kernel(value.data(), dx.data(), target.data(), x.data(), scale.data(), &smoothing, rows, columns);
  r.compare(c.name, {rows, columns}, value, want, 32.0);
  r.compare(c.name + std::string("_gradient"), {rows, columns}, dx, gradient, 64.0);
  kernel(alone.data(), nullptr, target.data(), x.data(), scale.data(), &smoothing, rows, columns);
  Array in_place = x;
  kernel(value.data(), in_place.data(), target.data(), in_place.data(), scale.data(), &smoothing, rows,
         columns);
  const bool same = std::memcmp(alone.data(), value.data(), rows * sizeof(float)) == 0 &&
                    std::memcmp(in_place.data(), dx.data(), dx.size() * sizeof(float)) == 0;
  r.check(same && in_place.intact(), c.name + std::string("_forms"), {rows, columns});
}

double largest(const Row& x) { return static_cast<double>(std::max_element(x.begin(), x.end()) - x.begin()); }

void metrics(Report& r, std::size_t rows, std::size_t columns) {
  const Array y(rows * columns, 37, 0, 1), classes = targets_of(LossCase::classes, rows, columns);
  const Array bits = targets_of(LossCase::bits, rows, columns),
              values = targets_of(LossCase::values, rows, columns);
  const Array hot = targets_of(LossCase::distribution, rows, columns);
  const auto run = [&](const char* name, Metric metric, const Array& target, const RowLoss& f) {
    Array value(rows);
    const float settings[] = {0.5f};
    std::vector<Expected> want(rows);
    for (std::size_t i = 0; i < rows; ++i)
      want[i] = exactly(f(row_of(target, i, target.size() / rows), row_of(y, i, columns), 0.0));
    r.k.metric[static_cast<int>(metric)](value.data(), target.data(), y.data(), settings, rows, columns);
    r.compare(name, {rows, columns}, value, want);
  };
  run("binary_accuracy", Metric::binary_accuracy, bits, [](const Row& t, const Row& x, double) {
    return mean(x.size(), [&](std::size_t j) { return (x[j] > 0.5) == (t[j] == 1.0) ? 1.0 : 0.0; });
  });
  run("categorical_accuracy", Metric::categorical_accuracy, hot,
      [](const Row& t, const Row& x, double) { return largest(t) == largest(x) ? 1.0 : 0.0; });
  run("sparse_categorical_accuracy", Metric::sparse_categorical_accuracy, classes,
      [](const Row& t, const Row& x, double) { return t[0] == largest(x) ? 1.0 : 0.0; });
}

}  // namespace

void test_rows(Report& r) {
  for (std::size_t columns : kSizes) {
    for (std::size_t rows : {1, 3, 17}) {
      metrics(r, rows, columns);
      for (const LossCase& c : loss_cases()) losses(r, rows, columns, c, 0.0f);
    }
    for (const LossCase& c : loss_cases())
      if (c.smoothing) losses(r, 2, columns, c, 0.1f);
  }
}

}  // namespace nncore::test

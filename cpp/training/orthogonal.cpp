// The orthogonal regularizer. N are the vectors (rows of the matrix, or its columns) divided by their norms,
// and P = N N^T. The value is factor / 2 times the sum of |P| off the diagonal, over the number of pairs.
#include <algorithm>
#include <cmath>

#include "../graph/parameters.hpp"
#include "../runtime/parallel.hpp"
#include "../runtime/workspace.hpp"
#include "penalties.hpp"

namespace nncore {
namespace {

constexpr std::size_t kRows = 64;             // of P, computed together
constexpr float kMostInverse = 1.0f / 1e-7f;  // largest inverse of a norm; if it is reached, it has no slope

// (count, length) vectors, one after the other.
struct Vectors {
  float* data;
  float* inverse;  // of each norm
  std::size_t count, length;
};

[[gnu::noinline]] double dot(const float* x, const float* y, std::size_t n) {
  return sum_of(n, [=](std::size_t j) { return static_cast<double>(x[j]) * y[j]; });
}

void normalize(const Vectors& v) {
  for (std::size_t i = 0; i < v.count; ++i) {
    float* const x = v.data + i * v.length;
    const double squares = dot(x, x, v.length);
    const auto inverse = static_cast<float>(1.0 / std::sqrt(squares));
    v.inverse[i] = kMostInverse < inverse ? kMostInverse : inverse;
    for (std::size_t j = 0; j < v.length; ++j) x[j] *= v.inverse[i];
  }
}

// The sum of |p| of a row of P without the diagonal. Replaces p by its sign.
double take_signs(float* p, std::size_t count, std::size_t diagonal) {
  p[diagonal] = 0.0f;
  const double sum = sum_of(count, [p](std::size_t j) { return std::abs(static_cast<double>(p[j])); });
  for (std::size_t j = 0; j < count; ++j) p[j] = static_cast<float>((p[j] > 0.0f) - (p[j] < 0.0f));
  return sum;
}

}  // namespace

double orthogonal_regularizer(const Kernels& k, const Parameter& p, const float* w, float* gradient,
                              const Settings& settings) {
  const float factor = settings[0];
  const bool held_as_columns = (settings[1] != 0.0f) != p.transposed;
  const std::size_t columns = p.columns(), count = held_as_columns ? columns : p.rows(),
                    length = held_as_columns ? p.rows() : columns, blocks = (count + kRows - 1) / kRows;
  const double pairs = static_cast<double>(count) * static_cast<double>(count - 1) / 2.0;
  if (count < 2) return 0.0;

  Layout layout;
  const std::size_t sums = layout.place(2 * blocks, 1), vectors = layout.place(count, length),
                    inverses = layout.place(count, 1),
                    transposed = layout.place(in_panels(k, length, count), 1),
                    packed = layout.place(gradient ? in_panels(k, count, length) : 0, 1),
                    workers = layout.size(), products = layout.place(k.gemm_scratch, 1),
                    signs = layout.place(kRows, count), back = layout.place(gradient ? kRows : 0, length),
                    each = layout.size() - workers;
  const Workspace memory = borrow_floats(
      checked_floats(1, workers + checked_floats(static_cast<std::size_t>(team_size()), each)) + kSlack);
  float* const m = memory.get();
  const Vectors v{m + vectors, m + inverses, count, length};
  auto* const sum = reinterpret_cast<double*>(m + sums);
  if (held_as_columns)
    transpose(v.data, length, w, columns, length, count);
  else
    std::copy_n(w, count * length, v.data);
  normalize(v);
  k.pack_transposed(m + transposed, length * k.panel, v.data, length, count, length);
  if (gradient) k.pack(m + packed, count * k.panel, v.data, count, length, length);

  const auto task = [&](std::size_t block, int worker) {
    float* const mine = m + static_cast<std::size_t>(worker) * each;
    const std::size_t first = block * kRows, rows = std::min(kRows, count - first);
    float *const sign = mine + signs, *const d = mine + back;
    k.gemm({.c = {sign, count},
            .a = {v.data + first * length, offset(length)},
            .b = {m + transposed, k.panel, length * k.panel},
            .size = {rows, count, length},
            .scratch = mine + products});
    sum[block] = 0.0;
    for (std::size_t i = 0; i < rows; ++i) sum[block] += take_signs(sign + i * count, count, first + i);
    if (!gradient) return;
    k.gemm({.c = {d, length},
            .a = {sign, offset(count)},
            .b = {m + packed, k.panel, count * k.panel},
            .size = {rows, length, count},
            .scratch = mine + products});
    for (std::size_t i = 0; i < rows; ++i) {
      const float *x = v.data + (first + i) * length, *dx = d + i * length;
      const float inverse = v.inverse[first + i];
      // Leaves out the part along the vector itself, which does not change its direction.
      const double part = dot(dx, x, inverse < kMostInverse ? length : 0);
      const auto scale = static_cast<float>(factor / pairs) * inverse, along = static_cast<float>(part);
      float* const to = gradient + (held_as_columns ? first + i : (first + i) * length);
      const std::size_t step = held_as_columns ? columns : 1;
      for (std::size_t j = 0; j < length; ++j) to[j * step] += scale * (dx[j] - along * x[j]);
    }
  };
  if (2 * count * count * length >= kTeamWork)
    parallel_for(blocks, task);
  else
    for (std::size_t block = 0; block < blocks; ++block) task(block, 0);

  double all = 0.0;
  for (std::size_t block = 0; block < blocks; ++block) all += sum[block];
  return factor * 0.5 * all / pairs;
}

}  // namespace nncore

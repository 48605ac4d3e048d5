// Softmax over rows, and the functions that it shares with its cross-entropies.
#pragma once

#include "math.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// The largest of x (n) in every lane; unspecified if there is a NaN.
inline vec row_max(const float* x, std::size_t n) {
  const vec lowest = broadcast(-kInfinity);
  Sum best;
  for (vec& part : best.part) part = lowest;
  for_each_part(n, [&](std::size_t i, std::size_t lanes, std::size_t p) {
    best.part[p] = max(best.part[p], with_rest(load(x + i, lanes), lanes, lowest));
  });
  return reduce(best, [](vec a, vec b) { return max(a, b); });
}

// e (n) = exp(x - highest); returns its sum in every lane. e may be x, or null. visit(i, lanes, part, d) is
// called with d = x - highest before e is written.
template <class Visit>
inline vec exponentials(float* e, const float* x, std::size_t n, vec highest, Visit visit) {
  Sum sum{};
  for_each_part(n, [&](std::size_t i, std::size_t lanes, std::size_t p) {
    const vec d = load(x + i, lanes) - highest;
    visit(i, lanes, p, d);
    const vec e_i = exp(d);
    sum.part[p] += with_rest(e_i, lanes, vec{});
    if (e) store(e + i, e_i, lanes);
  });
  return total(sum);
}

inline void softmax_forward(float* y, const float* x, const float*, std::size_t rows, std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, x += columns, y += columns) {
    const vec sum =
        exponentials(y, x, columns, row_max(x, columns), [](std::size_t, std::size_t, std::size_t, vec) {});
    for_each_vector(columns,
                    [&](std::size_t i, std::size_t lanes) { store(y + i, load(y + i, lanes) / sum, lanes); });
  }
}

// dx = y (dy - sum(dy y))
inline void softmax_backward(float* dx, const float* dy, const float* y, const float*, std::size_t rows,
                             std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, dx += columns, dy += columns, y += columns) {
    Sum sum{};
    for_each_part(columns, [&](std::size_t i, std::size_t lanes, std::size_t p) {
      sum.part[p] = fma(load(dy + i, lanes), load(y + i, lanes), sum.part[p]);
    });
    const vec mean = total(sum);
    for_each_vector(columns, [&](std::size_t i, std::size_t lanes) {
      store(dx + i, load(y + i, lanes) * (load(dy + i, lanes) - mean), lanes);
    });
  }
}

inline void log_softmax_forward(float* y, const float* x, const float*, std::size_t rows,
                                std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, x += columns, y += columns) {
    const vec highest = row_max(x, columns);
    const vec sum =
        log(exponentials(nullptr, x, columns, highest, [](std::size_t, std::size_t, std::size_t, vec) {}));
    for_each_vector(columns, [&](std::size_t i, std::size_t lanes) {
      store(y + i, (load(x + i, lanes) - highest) - sum, lanes);
    });
  }
}

// dx = dy - e^y sum(dy)
inline void log_softmax_backward(float* dx, const float* dy, const float* y, const float*, std::size_t rows,
                                 std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, dx += columns, dy += columns, y += columns) {
    Sum sum{};
    for_each_part(columns, [&](std::size_t i, std::size_t lanes, std::size_t p) {
      sum.part[p] += load(dy + i, lanes);
    });
    const vec all = total(sum);
    for_each_vector(columns, [&](std::size_t i, std::size_t lanes) {
      store(dx + i, load(dy + i, lanes) - exp(load(y + i, lanes)) * all, lanes);
    });
  }
}

// The elements of y (n) that are larger than `least`: how many there are, and their sum, in every lane.
struct Above {
  vec count, sum;
};
inline Above above(const float* y, std::size_t n, vec least) {
  Sum count{}, sum{};
  for_each_part(n, [&](std::size_t i, std::size_t lanes, std::size_t p) {
    const vec v = with_rest(load(y + i, lanes), lanes, least);
    count.part[p] += v > least ? broadcast(1.0f) : vec{};
    sum.part[p] += v > least ? v : vec{};
  });
  return {total(count), total(sum)};
}

// max(x - t, 0) with the t that makes its sum 1. Each round leaves out what the t of all that is left in
// makes 0 (Michelot 1986), up to the round that leaves out nothing.
inline void sparsemax_forward(float* y, const float* x, const float*, std::size_t rows, std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, x += columns, y += columns) {
    const vec highest = row_max(x, columns);
    Sum all{};
    for_each_part(columns, [&](std::size_t i, std::size_t lanes, std::size_t p) {
      const vec d = max(broadcast(-2.0f), load(x + i, lanes) - highest);  // t is at least -1
      all.part[p] += with_rest(d, lanes, vec{});
      store(y + i, d, lanes);
    });
    float count = static_cast<float>(columns);
    vec t = (total(all) - 1.0f) / count;
    for (Above kept = above(y, columns, t); kept.count[0] < count && kept.count[0] > 0.0f;
         kept = above(y, columns, t)) {
      count = kept.count[0];
      t = (kept.sum - 1.0f) / count;
    }
    for_each_vector(columns, [&](std::size_t i, std::size_t lanes) {
      store(y + i, max(vec{}, load(y + i, lanes) - t), lanes);
    });
  }
}

// dx = dy - mean(dy) where y > 0, the mean over these, else 0
inline void sparsemax_backward(float* dx, const float* dy, const float* y, const float*, std::size_t rows,
                               std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, dx += columns, dy += columns, y += columns) {
    Sum sum{};
    for_each_part(columns, [&](std::size_t i, std::size_t lanes, std::size_t p) {
      sum.part[p] += load(y + i, lanes) > 0.0f ? load(dy + i, lanes) : vec{};
    });
    const vec mean = total(sum) / above(y, columns, vec{}).count;
    for_each_vector(columns, [&](std::size_t i, std::size_t lanes) {
      store(dx + i, load(y + i, lanes) > 0.0f ? load(dy + i, lanes) - mean : vec{}, lanes);
    });
  }
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

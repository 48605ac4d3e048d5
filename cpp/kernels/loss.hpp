// The formulas of losses.def as kernels, and the losses over rows.
#pragma once

#include "kernels.hpp"
#include "math.hpp"
#include "simd.hpp"
#include "softmax.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// Probabilities are clipped to [kLeast, kMost] before a logarithm; outside, the gradient is zero.
constexpr float kLeast = 1e-7f, kMost = 1.0f - 1e-7f;

inline vec clip(vec p) { return clamp(p, kLeast, kMost); }
// `slope` where p is not clipped, else zero.
inline vec unless_clipped(vec p, vec slope) { return (p < kLeast) | (p > kMost) ? vec{} : slope; }

// Label smoothing: moves targets towards 1 / classes.
inline vec smoothed(vec t, float label_smoothing, float classes) {
  return fma(t, broadcast(1.0f - label_smoothing), broadcast(label_smoothing / classes));
}

// A target of a hinge loss: 0 stands for -1.
inline vec sign_of(vec t) { return t == 0.0f ? broadcast(-1.0f) : t; }

// ---- elementwise losses

// The loss of one element and its derivative with respect to x.
struct Point {
  vec value, slope;
};

// Of a probability x, y = 1 - x, and both clipped, p and q: the cross-entropy times (1 - r)^gamma, where r is
// the probability of the target. Targets of 1 have the weight alpha and others 1 - alpha, if balanced.
[[gnu::noinline, gnu::cold]] inline Point focal(vec t, vec x, vec y, vec q, bool balanced, float alpha,
                                                float gamma) {
  const vec p = clip(x), rest = 1.0f - t;
  const vec missed = max(vec{}, fma(t, y, rest * x)), factor = power(missed, gamma),
            by_x = gamma == 0.0f ? vec{} : gamma * power(missed, gamma - 1.0f) * (rest - t);
  const vec entropy = -fma(t, log(p), rest * log(q)), slope = unless_clipped(x, rest / q - t / p);
  const vec weight = balanced ? fma(t, broadcast(alpha), rest * (1.0f - alpha)) : broadcast(1.0f);
  return {weight * factor * entropy, weight * fma(factor, slope, by_x * entropy)};
}

enum class Over { mean, sum };

// Calls point(target, x), which returns a Point of vectors.
template <Over over = Over::mean, class F>
inline void over_columns(float* value, float* dx, const float* target, const float* x, const float* scale,
                         std::size_t rows, std::size_t columns, F point) {
  if (columns == 1)  // vectors run over rows
    return for_each_vector(rows, [&](std::size_t r, std::size_t lanes) {
      const Point at = point(load(target + r, lanes), load(x + r, lanes));
      store(value + r, at.value, lanes);
      if (dx) store(dx + r, at.slope * load(scale + r, lanes), lanes);
    });
  const float count = over == Over::mean ? static_cast<float>(columns) : 1.0f;
  for (std::size_t r = 0; r < rows; ++r, target += columns, x += columns) {
    const vec factor = broadcast(dx ? scale[r] / count : 0.0f);
    Sum sum{};
    for_each_part(columns, [&](std::size_t i, std::size_t lanes, std::size_t p) {
      const Point at = point(load(target + i, lanes), load(x + i, lanes));
      sum.part[p] += with_rest(at.value, lanes, vec{});
      if (dx) store(dx + i, at.slope * factor, lanes);
    });
    value[r] = total(sum)[0] / count;
    if (dx) dx += columns;
  }
}

#define NONE
#define SETTING(name, ...) [[maybe_unused]] const float name = *setting++;
#define ELEMENTWISE_LOSS(name, settings, over, ...)                                                     \
  inline void name(float* value, float* dx, const float* target, const float* from, const float* scale, \
                   [[maybe_unused]] const float* setting, std::size_t rows, std::size_t columns) {      \
    settings over_columns<Over::over>(value, dx, target, from, scale, rows,                             \
                                      columns, [=](vec t, vec x)->Point __VA_ARGS__);                   \
  }
#define SELDOM_LOSS(name, settings, over, ...)                                                          \
  inline void name(float* value, float* dx, const float* target, const float* from, const float* scale, \
                   [[maybe_unused]] const float* setting, std::size_t rows, std::size_t columns) {      \
    settings over_columns<Over::over>(                                                                  \
        value, dx, target, from, scale, rows,                                                           \
        columns, [=](vec t, vec x) __attribute__((noinline, cold))->Point __VA_ARGS__);                 \
  }
#include "losses.def"
#undef NONE
#undef SETTING

// ---- losses over rows

// -sum t log(clip(q)) with q = x / sum(x).
inline void categorical_crossentropy(float* value, float* dx, const float* target, const float* x,
                                     const float* scale, const float* settings, std::size_t rows,
                                     std::size_t columns) {
  const auto smooth = [smoothing = *settings, columns](vec t) {
    return smoothed(t, smoothing, static_cast<float>(columns));
  };
  for (std::size_t r = 0; r < rows; ++r, target += columns, x += columns) {
    Sum x_sum{};
    for_each_part(columns, [&](std::size_t i, std::size_t lanes, std::size_t p) {
      x_sum.part[p] += load(x + i, lanes);
    });
    const vec norm = total(x_sum);

    Sum loss{}, unclipped{};  // the targets whose probability is not clipped
    for_each_part(columns, [&](std::size_t i, std::size_t lanes, std::size_t p) {
      const vec t = smooth(load(target + i, lanes));
      const vec q = load(x + i, lanes) / norm;
      loss.part[p] -= with_rest(t * log(clip(q)), lanes, vec{});
      unclipped.part[p] += with_rest(unless_clipped(q, t), lanes, vec{});
    });
    value[r] = total(loss)[0];
    if (!dx) continue;

    const vec all = total(unclipped), factor = scale[r] / norm;
    for_each_vector(columns, [&](std::size_t i, std::size_t lanes) {
      const vec t = smooth(load(target + i, lanes));
      const vec q = load(x + i, lanes) / norm;
      store(dx + i, factor * (all - unless_clipped(q, t / q)), lanes);
    });
    dx += columns;
  }
}

// sum t (log(sum(e^x)) - x); its gradient is softmax(x) sum(t) - t.
inline void categorical_crossentropy_logits(float* value, float* dx, const float* target, const float* x,
                                            const float* scale, const float* settings, std::size_t rows,
                                            std::size_t columns) {
  const auto smooth = [smoothing = *settings, columns](vec t) {
    return smoothed(t, smoothing, static_cast<float>(columns));
  };
  for (std::size_t r = 0; r < rows; ++r, target += columns, x += columns) {
    Sum targets{}, products{};
    const vec sum = exponentials(dx, x, columns, row_max(x, columns),
                                 [&](std::size_t i, std::size_t lanes, std::size_t p, vec d) {
                                   const vec t = with_rest(smooth(load(target + i, lanes)), lanes, vec{});
                                   targets.part[p] += t;
                                   products.part[p] = fma(t, with_rest(d, lanes, vec{}), products.part[p]);
                                 });
    const vec all = total(targets);
    value[r] = (all * log(sum) - total(products))[0];
    if (!dx) continue;

    const vec factor = broadcast(scale[r]), weight = all / sum;
    for_each_vector(columns, [&](std::size_t i, std::size_t lanes) {
      const vec t = smooth(load(target + i, lanes));
      store(dx + i, factor * (load(dx + i, lanes) * weight - t), lanes);
    });
    dx += columns;
  }
}

// A class number given as a float. The loss and gradient of a row are NaN if it is not in [0, columns).
struct Class {
  bool valid;
  std::size_t index;
  Class(float t, std::size_t columns)
      : valid(t >= 0.0f && t < static_cast<float>(columns)), index(valid ? static_cast<std::size_t>(t) : 0) {}
};

// log(sum(q)) - log(q[class]) with q = clip(x): the softmax cross-entropy of log(q).
inline void sparse_categorical_crossentropy(float* value, float* dx, const float* target, const float* x,
                                            const float* scale, const float*, std::size_t rows,
                                            std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, x += columns) {
    const Class c(target[r], columns);
    Sum q_sum{};
    for_each_part(columns, [&](std::size_t i, std::size_t lanes, std::size_t p) {
      q_sum.part[p] += with_rest(clip(load(x + i, lanes)), lanes, vec{});
    });
    const vec sum = total(q_sum), x_c = broadcast(x[c.index]), q_c = clip(x_c);
    value[r] = c.valid ? (log(sum) - log(q_c))[0] : __builtin_nanf("");
    if (!dx) continue;

    const vec factor = broadcast(c.valid ? scale[r] : __builtin_nanf(""));
    for_each_vector(columns, [&](std::size_t i, std::size_t lanes) {
      store(dx + i, factor * unless_clipped(load(x + i, lanes), 1.0f / sum), lanes);
    });
    if (c.valid) dx[c.index] = (factor * unless_clipped(x_c, (q_c - sum) / (q_c * sum)))[0];
    dx += columns;
  }
}

// log(sum(e^x)) - x[class]
inline void sparse_categorical_crossentropy_logits(float* value, float* dx, const float* target,
                                                   const float* x, const float* scale, const float*,
                                                   std::size_t rows, std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, x += columns) {
    const Class c(target[r], columns);
    const float x_c = x[c.index];
    const vec highest = row_max(x, columns);
    const vec sum = exponentials(dx, x, columns, highest, [](std::size_t, std::size_t, std::size_t, vec) {});
    value[r] = c.valid ? (log(sum) - (x_c - highest))[0] : __builtin_nanf("");
    if (!dx) continue;

    const float s = c.valid ? scale[r] : __builtin_nanf("");
    const float p_c = dx[c.index] / sum[0];
    const vec factor = s / sum;
    for_each_vector(columns, [&](std::size_t i, std::size_t lanes) {
      store(dx + i, load(dx + i, lanes) * factor, lanes);
    });
    dx[c.index] = s * (p_c - 1.0f);
    dx += columns;
  }
}

// -sum alpha t (1 - p)^gamma log(p) with p = clip(q), and q = x / sum(x) or softmax(x).
[[gnu::noinline, gnu::cold]] inline void focal_rows(float* value, float* dx, const float* target,
                                                    const float* x, const float* scale, const float* settings,
                                                    std::size_t rows, std::size_t columns, bool logits) {
  const float alpha = settings[0], gamma = settings[1], smoothing = settings[2];
  for (std::size_t r = 0; r < rows; ++r, target += columns, x += columns) {
    const vec highest = logits ? row_max(x, columns) : vec{};
    const auto size = [&](std::size_t i, std::size_t lanes) __attribute__((noinline, cold)) -> vec {
      const vec y = load(x + i, lanes);
      return logits ? exp(y - highest) : y;
    };
    Sum all{}, loss{}, pull{};
    for_each_part(columns, [&](std::size_t i, std::size_t lanes, std::size_t p) {
      all.part[p] += with_rest(size(i, lanes), lanes, vec{});
    });
    const vec norm = total(all);
    const auto at = [&](std::size_t i, std::size_t lanes) __attribute__((noinline, cold)) -> Point {
      const vec t = smoothed(load(target + i, lanes), smoothing, static_cast<float>(columns));
      const vec q = size(i, lanes) / norm, p = clip(q), rest = 1.0f - p, factor = power(rest, gamma);
      const vec by_p = gamma == 0.0f ? vec{} : gamma * power(rest, gamma - 1.0f) * log(p);
      return Point{alpha * t * factor * log(p), alpha * t * unless_clipped(q, by_p - factor / p)};
    };
    for_each_part(columns, [&](std::size_t i, std::size_t lanes, std::size_t p) {
      const Point point = at(i, lanes);
      loss.part[p] -= with_rest(point.value, lanes, vec{});
      pull.part[p] += with_rest(point.slope * size(i, lanes), lanes, vec{});
    });
    value[r] = total(loss)[0];
    if (!dx) continue;

    const vec mean = total(pull) / norm, factor = scale[r] / norm;
    for_each_vector(columns, [&](std::size_t i, std::size_t lanes) {
      const vec slope = factor * (at(i, lanes).slope - mean);
      store(dx + i, logits ? slope * size(i, lanes) : slope, lanes);
    });
    dx += columns;
  }
}
inline void categorical_focal_crossentropy(float* value, float* dx, const float* target, const float* x,
                                           const float* scale, const float* settings, std::size_t rows,
                                           std::size_t columns) {
  focal_rows(value, dx, target, x, scale, settings, rows, columns, false);
}
inline void categorical_focal_crossentropy_logits(float* value, float* dx, const float* target,
                                                  const float* x, const float* scale, const float* settings,
                                                  std::size_t rows, std::size_t columns) {
  focal_rows(value, dx, target, x, scale, settings, rows, columns, true);
}

// -sum(t x) / (|t| |x|), norms being at least kLeast.
inline void cosine_similarity(float* value, float* dx, const float* target, const float* x,
                              const float* scale, const float*, std::size_t rows, std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, target += columns, x += columns) {
    Sum products{}, of_t{}, of_x{};
    for_each_part(columns, [&](std::size_t i, std::size_t lanes, std::size_t p) {
      const vec t = load(target + i, lanes), y = load(x + i, lanes);
      products.part[p] = fma(t, y, products.part[p]);
      of_t.part[p] = fma(t, t, of_t.part[p]);
      of_x.part[p] = fma(y, y, of_x.part[p]);
    });
    const vec least = broadcast(kLeast), norm = max(least, sqrt(total(of_x))),
              cosine = total(products) / max(least, sqrt(total(of_t))) / norm;
    value[r] = -cosine[0];
    if (!dx) continue;

    // A row of one element, as one near 0, keeps its direction.
    const vec factor = columns > 1 ? scale[r] / norm : vec{}, size = max(least, sqrt(total(of_t))),
              turn = norm == least ? vec{} : cosine / norm;
    for_each_vector(columns, [&](std::size_t i, std::size_t lanes) {
      store(dx + i, factor * (load(x + i, lanes) * turn - load(target + i, lanes) / size), lanes);
    });
    dx += columns;
  }
}

// max(1 + max((1 - t) x) - sum(t x), 0); the largest terms share its slope.
inline void categorical_hinge(float* value, float* dx, const float* target, const float* x,
                              const float* scale, const float*, std::size_t rows, std::size_t columns) {
  for (std::size_t r = 0; r < rows; ++r, target += columns, x += columns) {
    const auto other = [&](std::size_t i, std::size_t lanes) {
      return (1.0f - load(target + i, lanes)) * load(x + i, lanes);
    };
    Sum hit{}, others, ties{};
    for (vec& part : others.part) part = broadcast(-kInfinity);
    for_each_part(columns, [&](std::size_t i, std::size_t lanes, std::size_t p) {
      hit.part[p] = fma(load(target + i, lanes), load(x + i, lanes), hit.part[p]);
      others.part[p] = max(others.part[p], with_rest(other(i, lanes), lanes, broadcast(-kInfinity)));
    });
    const vec most = reduce(others, [](vec a, vec b) { return max(a, b); });
    const vec short_by = max(vec{}, most - total(hit) + 1.0f);
    value[r] = short_by[0];
    if (!dx) continue;

    for_each_part(columns, [&](std::size_t i, std::size_t lanes, std::size_t p) {
      ties.part[p] += with_rest(other(i, lanes) == most ? broadcast(1.0f) : vec{}, lanes, vec{});
    });
    const vec count = total(ties), factor = short_by == 0.0f ? vec{} : broadcast(scale[r]);
    for_each_vector(columns, [&](std::size_t i, std::size_t lanes) {
      const vec t = load(target + i, lanes);
      store(dx + i, factor * ((other(i, lanes) == most ? (1.0f - t) / count : vec{}) - t), lanes);
    });
    dx += columns;
  }
}

constexpr LossKernel kLossKernels[] = {
#define ELEMENTWISE_LOSS(name, ...) name,
#define ROW_LOSS(name, ...) name,
#include "losses.def"
};

}  // namespace
}  // namespace nncore::NNCORE_ISA

// Layers with several inputs.
#include <algorithm>
#include <array>

#include "layer.hpp"

namespace nncore {
namespace {

constexpr std::size_t kAnyNumber = ~std::size_t{0};  // of inputs

// A layer of elementwise operations on inputs that broadcast to the output as in NumPy.
class Elementwise : public Layer {
 public:
  // rooms: scratch buffers of one run of outputs each.
  [[gnu::noinline]] Elementwise(const std::vector<Shape>& inputs, const Shape& output, std::size_t rooms)
      : Layer(inputs[0], output) {
    for (const Shape& input : inputs) {
      std::vector<std::size_t>& steps = steps_.emplace_back();
      sizes_.push_back(size_of(input));
      if (input == output) continue;
      steps.assign(output.size(), 0);
      std::size_t step = 1;
      for (std::size_t axis = input.size(); axis-- > 0; step *= input[axis])
        if (input[axis] > 1) steps[output.size() - input.size() + axis] = step;
      broadcasts_ = true;
    }
    traits_.work = this->inputs() * output_size();
    traits_.scratch = rooms * run() * output_size();
  }

 protected:
  std::size_t inputs() const { return sizes_.size(); }

  // Calls body(first, count) for each run of samples of a chunk.
  template <class Body>
  void for_each_run(const Chunk& c, Body body) const {
    for (std::size_t first = 0; first < c.samples; first += run())
      body(first, std::min(run(), c.samples - first));
  }
  // y = the first input, then y = combine(y, x) for each further input x.
  template <class Combine>
  void fold(const Chunk& c, Combine combine) const {
    for_each_run(c, [&](std::size_t first, std::size_t count) {
      const std::size_t n = count * output_size();
      float* const y = c.y + first * output_size();
      std::copy_n(input(c, 0, first, c.scratch), n, y);
      for (std::size_t i = 1; i < inputs(); ++i) {
        const float* const x = input(c, i, first, c.scratch);
        for (std::size_t j = 0; j < n; ++j) y[j] = combine(y[j], x[j]);
      }
    });
  }
  // Input i from sample `first` on. It is broadcast to `room` if its shape is not that of the output.
  [[gnu::noinline]] const float* input(const Chunk& c, std::size_t i, std::size_t first, float* room) const {
    const float* x = c.xs[i] + first * sizes_[i];
    if (steps_[i].empty()) return x;
    walk(i, [&](std::size_t in, std::size_t out) { room[out] = x[in]; });
    return room;
  }
  // Where to write the gradient of input i in the shape of the output. `give` then sums the axes broadcast.
  float* gradient(const Chunk& c, std::size_t i, std::size_t first, float* room) const {
    return steps_[i].empty() ? c.dxs[i] + first * sizes_[i] : room;
  }
  [[gnu::noinline]] void give(const Chunk& c, std::size_t i, std::size_t first, const float* room) const {
    if (steps_[i].empty()) return;
    float* const dx = c.dxs[i] + first * sizes_[i];
    std::fill_n(dx, sizes_[i], 0.0f);
    walk(i, [&](std::size_t in, std::size_t out) { dx[in] += room[out]; });
  }

 private:
  std::size_t run() const {
    constexpr std::size_t kFloats = 1024;
    return broadcasts_ ? 1 : std::max<std::size_t>(1, kFloats / output_size());
  }
  // Calls body(index in input i, index in the output) for each element of the output.
  template <class Body>
  void walk(std::size_t i, Body body) const {
    const Shape& shape = output();
    std::array<std::size_t, kMostAxes> at{};
    std::size_t in = 0;
    for (std::size_t out = 0; out < output_size(); ++out) {
      body(in, out);
      for (std::size_t axis = shape.size(); axis-- > 0;) {
        in += steps_[i][axis];
        if (++at[axis] < shape[axis]) break;
        in -= steps_[i][axis] * shape[axis];
        at[axis] = 0;
      }
    }
  }

  std::vector<std::size_t> sizes_;
  // For each input its strides along the axes of the output, or none if it has the shape of the output.
  std::vector<std::vector<std::size_t>> steps_;
  bool broadcasts_ = false;
};

// y = (the first input + sign * each further input) * share.
class Linear final : public Elementwise {
 public:
  Linear(const std::vector<Shape>& inputs, const Shape& output, float sign, float share)
      : Elementwise(inputs, output, 1), sign_(sign), share_(share) {}

  void forward(const Chunk& c) const override {
    fold(c, [sign = sign_](float a, float b) { return a + sign * b; });
    if (share_ != 1.0f)
      for (std::size_t j = 0; j < c.samples * output_size(); ++j) c.y[j] *= share_;
  }
  void backward(const Chunk& c) const override {
    for_each_run(c, [&](std::size_t first, std::size_t count) {
      const float* const dy = c.dy + first * output_size();
      for (std::size_t i = 0; i < inputs(); ++i) {
        if (!c.dxs[i]) continue;
        float* const dx = gradient(c, i, first, c.scratch);
        const float slope = (i == 0 ? 1.0f : sign_) * share_;
        for (std::size_t j = 0; j < count * output_size(); ++j) dx[j] = slope * dy[j];
        give(c, i, first, dx);
      }
    });
  }

 private:
  float sign_, share_;
};

// Combines the inputs from first to last by a row of merges.def.
template <class Row>
class Combined final : public Elementwise {
 public:
  Combined(const std::vector<Shape>& inputs, const Shape& output)
      : Elementwise(inputs, output, inputs.size() + 1) {}

  void forward(const Chunk& c) const override { fold(c, Row::value); }
  // Computes the intermediate results again, then goes through them from the last to the first.
  void backward(const Chunk& c) const override {
    for_each_run(c, [&](std::size_t first, std::size_t count) {
      const std::size_t n = count * output_size();
      float *room = c.scratch, *dy = c.scratch + n, *before = c.scratch + 2 * n;
      std::copy_n(c.dy + first * output_size(), n, dy);
      std::copy_n(input(c, 0, first, room), n, before);
      for (std::size_t i = 1; i + 1 < inputs(); ++i) {
        const float *x = input(c, i, first, room), *a = before + (i - 1) * n;
        for (std::size_t j = 0; j < n; ++j) before[i * n + j] = Row::value(a[j], x[j]);
      }
      for (std::size_t i = inputs(); i-- > 1;) {
        const float *x = input(c, i, first, room), *a = before + (i - 1) * n;
        float* const dx = c.dxs[i] ? gradient(c, i, first, room) : nullptr;
        for (std::size_t j = 0; j < n; ++j) {
          const float g = dy[j], b = x[j];
          dy[j] = g * Row::by_a(a[j], b);
          if (dx) dx[j] = g * Row::by_b(a[j], b);
        }
        if (dx) give(c, i, first, dx);
      }
      if (!c.dxs[0]) return;
      std::copy_n(dy, n, gradient(c, 0, first, room));
      give(c, 0, first, room);
    });
  }
};

#define COMBINED(name, most, formula, slope_a, slope_b)                                       \
  struct Row_##name {                                                                         \
    static float value(float a, float b) { return formula; }                                  \
    static float by_a([[maybe_unused]] float a, [[maybe_unused]] float b) { return slope_a; } \
    static float by_b([[maybe_unused]] float a, [[maybe_unused]] float b) { return slope_b; } \
  };
#include "merges.def"

// The shape to which all inputs broadcast.
[[gnu::noinline]] Shape broadcast_shape(const Spec& spec, const std::vector<Shape>& inputs,
                                        std::size_t most) {
  if (inputs.empty() || (most < kAnyNumber && inputs.size() != most))
    spec.fail("takes " + std::to_string(most) + " inputs, got " + std::to_string(inputs.size()));
  Shape output = inputs[0];
  for (Shape input : inputs) {
    const Shape given = input;
    const std::size_t axes = std::max(input.size(), output.size());
    for (Shape* shape : {&input, &output}) shape->insert(shape->begin(), axes - shape->size(), 1);
    for (std::size_t axis = 0; axis < axes; ++axis) {
      if (output[axis] == 1) output[axis] = input[axis];
      if (input[axis] != output[axis] && input[axis] != 1)
        spec.fail("expected inputs of one shape, or with sizes of 1, got " + to_string(inputs[0]) + " and " +
                  to_string(given));
    }
  }
  return output;
}

class Concatenate final : public Layer {
 public:
  // A sample of input i is `runs` runs of run[i] elements, each contiguous in the output.
  Concatenate(const Shape& input, Shape output, std::size_t runs, std::vector<std::size_t> run)
      : Layer(input, std::move(output)), runs_(runs), run_(std::move(run)) {}

  void forward(const Chunk& c) const override {
    for_each_run(c, [&](std::size_t i, std::size_t in, std::size_t out) {
      std::copy_n(c.xs[i] + in, run_[i], c.y + out);
    });
  }
  void backward(const Chunk& c) const override {
    for_each_run(c, [&](std::size_t i, std::size_t in, std::size_t out) {
      if (c.dxs[i]) std::copy_n(c.dy + out, run_[i], c.dxs[i] + in);
    });
  }

 private:
  // Calls body(input, start in the input, start in the output).
  template <class Body>
  void for_each_run(const Chunk& c, Body body) const {
    std::size_t out = 0;
    for (std::size_t row = 0; row < c.samples * runs_; ++row)
      for (std::size_t i = 0; i < run_.size(); ++i) {
        body(i, row * run_[i], out);
        out += run_[i];
      }
  }

  std::size_t runs_;
  std::vector<std::size_t> run_;
};

// Dot products of two inputs along one axis of each. An input is (outer, k, inner) around its axis k.
class Dot final : public Layer {
 public:
  struct Around {
    std::size_t outer, inner;
  };
  Dot(const Shape& input, Shape output, Around a, Around b, std::size_t sum)
      : Layer(input, std::move(output)), a_(a), b_(b), sum_(sum) {
    traits_.work = rows(a_) * rows(b_) * sum_;
  }
  void forward(const Chunk& c) const override {
    for_each_pair(c, [&](const float* a, const float* b, std::size_t, std::size_t, std::size_t out) {
      double sum = 0.0;
      for (std::size_t k = 0; k < sum_; ++k) sum += static_cast<double>(a[k * a_.inner]) * b[k * b_.inner];
      c.y[out] = static_cast<float>(sum);
    });
  }
  void backward(const Chunk& c) const override {
    float *da = c.dxs[0], *db = c.dxs[1];
    if (da) std::fill_n(da, c.samples * rows(a_) * sum_, 0.0f);
    if (db) std::fill_n(db, c.samples * rows(b_) * sum_, 0.0f);
    for_each_pair(c, [&](const float* a, const float* b, std::size_t at, std::size_t bt, std::size_t out) {
      const float dy = c.dy[out];
      for (std::size_t k = 0; da && k < sum_; ++k) da[at + k * a_.inner] += dy * b[k * b_.inner];
      for (std::size_t k = 0; db && k < sum_; ++k) db[bt + k * b_.inner] += dy * a[k * a_.inner];
    });
  }

 private:
  static std::size_t rows(const Around& x) { return x.outer * x.inner; }
  std::size_t start(const Around& x, std::size_t sample, std::size_t row) const {
    return (sample * x.outer + row / x.inner) * sum_ * x.inner + row % x.inner;
  }
  // Calls body(row of a, row of b, their offsets, index in the output).
  template <class Body>
  void for_each_pair(const Chunk& c, Body body) const {
    std::size_t out = 0;
    for (std::size_t s = 0; s < c.samples; ++s)
      for (std::size_t i = 0; i < rows(a_); ++i)
        for (std::size_t j = 0; j < rows(b_); ++j) {
          const std::size_t at = start(a_, s, i), bt = start(b_, s, j);
          body(c.xs[0] + at, c.xs[1] + bt, at, bt, out++);
        }
  }

  Around a_, b_;
  std::size_t sum_;
};

// An axis of a sample, counted from 0, or from the end if it is negative.
std::size_t axis_of(const Spec& spec, std::int64_t given, const Shape& input) {
  const std::int64_t axes = offset(input.size());
  if (given < -axes || given >= axes)
    spec.fail("there is no axis " + std::to_string(given) + " in samples of shape " + to_string(input));
  return static_cast<std::size_t>(given < 0 ? given + axes : given);
}

}  // namespace

#define LINEAR(name, most, sign, share)                                                        \
  std::unique_ptr<Layer> make_##name(const Spec& spec, const std::vector<Shape>& inputs) {     \
    [[maybe_unused]] const auto n = static_cast<float>(inputs.size());                         \
    return std::make_unique<Linear>(inputs, broadcast_shape(spec, inputs, most), sign, share); \
  }
#define COMBINED(name, most, ...)                                                               \
  std::unique_ptr<Layer> make_##name(const Spec& spec, const std::vector<Shape>& inputs) {      \
    return std::make_unique<Combined<Row_##name>>(inputs, broadcast_shape(spec, inputs, most)); \
  }
#include "merges.def"

std::unique_ptr<Layer> make_concatenate(const Spec& spec, const std::vector<Shape>& inputs) {
  const std::size_t axis = axis_of(spec, spec.integer("axis"), inputs[0]);
  Shape output = inputs[0];
  output[axis] = 0;
  std::vector<std::size_t> run;
  for (const Shape& input : inputs) {
    Shape other = input;
    if (other.size() == output.size()) other[axis] = output[axis];
    if (other != output)
      spec.fail("expected inputs that differ along axis " + std::to_string(axis) + " alone, got " +
                to_string(inputs[0]) + " and " + to_string(input));
    output[axis] += input[axis];
    run.push_back(size_of({input.begin() + offset(axis), input.end()}));
  }
  const std::size_t runs = size_of({output.begin(), output.begin() + offset(axis)});
  return std::make_unique<Concatenate>(inputs[0], std::move(output), runs, std::move(run));
}

// axes: of the first and of the second input.
std::unique_ptr<Layer> make_dot(const Spec& spec, const std::vector<Shape>& inputs) {
  const auto axes = spec.integers("axes");
  if (inputs.size() != 2 || axes.size() != 2)
    spec.fail("takes two inputs and two axes, got " + std::to_string(inputs.size()) + " inputs");
  Shape output;
  Dot::Around around[2];
  std::size_t sums[2];
  for (std::size_t i = 0; i < 2; ++i) {
    const std::size_t axis = axis_of(spec, axes[i], inputs[i]);
    const auto at = inputs[i].begin() + offset(axis);
    sums[i] = *at;
    around[i] = {size_of({inputs[i].begin(), at}), size_of({at + 1, inputs[i].end()})};
    output.insert(output.end(), inputs[i].begin(), at);
    output.insert(output.end(), at + 1, inputs[i].end());
  }
  if (sums[0] != sums[1])
    spec.fail("expected axes of one size, got " + std::to_string(sums[0]) + " and " +
              std::to_string(sums[1]));
  if (output.empty()) output.push_back(1);
  return std::make_unique<Dot>(inputs[0], std::move(output), around[0], around[1], sums[0]);
}

}  // namespace nncore

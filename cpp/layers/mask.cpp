#include <algorithm>

#include "layer.hpp"

namespace nncore {
namespace {

// A step counts if any of its features differs from `value`. A NaN differs from every number.
class Steps {
 public:
  Steps(float value, std::size_t features) : value_(value), features_(features) {}

  // Calls body(step, whether it counts) for each step.
  template <class Body>
  void for_each(const float* x, std::size_t steps, Body body) const {
    for (std::size_t s = 0; s < steps; ++s, x += features_)
      body(s, std::any_of(x, x + features_, [&](float v) { return v != value_; }));
  }

 private:
  float value_;
  std::size_t features_;
};

// The mask of the steps of x: 1 where a step counts, else 0.
class Mask final : public Layer {
 public:
  Mask(const Shape& input, Shape output, Steps steps) : Layer(input, std::move(output)), steps_(steps) {
    traits_.has_slope = false;
  }
  void forward(const Chunk& c) const override {
    steps_.for_each(c.x, c.samples * output_size(), [&](std::size_t s, bool counts) { c.y[s] = counts; });
  }
  void backward(const Chunk& c) const override {
    if (c.dx) std::fill_n(c.dx, c.samples * input_size(), 0.0f);
  }

 private:
  Steps steps_;
};

// x with 0 in the steps that do not count.
class Masking final : public Layer {
 public:
  Masking(const Shape& input, float value)
      : Layer(input, input), features_(input.back()), steps_(value, features_) {}
  void forward(const Chunk& c) const override { apply(c, c.y, c.x); }
  void save(const Chunk&) const override {}
  void backward(const Chunk& c) const override {
    if (c.dx) apply(c, c.dx, c.dy);
  }

 private:
  void apply(const Chunk& c, float* to, const float* from) const {
    steps_.for_each(c.x, c.samples * input_size() / features_, [&](std::size_t s, bool counts) {
      if (counts)
        std::copy_n(from + s * features_, features_, to + s * features_);
      else
        std::fill_n(to + s * features_, features_, 0.0f);
    });
  }

  std::size_t features_;
  Steps steps_;
};

// The mean of the steps that a mask leaves: x (steps, features), mask (steps) -> (features). NaN for none.
class MaskedAverage final : public Layer {
 public:
  MaskedAverage(const Shape& input, Shape output)
      : Layer(input, std::move(output)), steps_(input[0]), features_(input[1]) {
    traits_.work = steps_ * features_;
  }
  void forward(const Chunk& c) const override {
    for (std::size_t s = 0; s < c.samples; ++s) {
      float* const y = c.y + s * features_;
      std::fill_n(y, features_, 0.0f);
      const float scale =
          for_each_step(c, s, [&](std::size_t step) { c.kernels.add(y, c.x + step * features_, features_); });
      c.kernels.rescale(y, y, scale, 0.0f, features_);
    }
  }
  void save(const Chunk&) const override {}
  void backward(const Chunk& c) const override {
    if (c.dxs[1]) std::fill_n(c.dxs[1], c.samples * steps_, 0.0f);
    if (!c.dxs[0]) return;
    std::fill_n(c.dxs[0], c.samples * input_size(), 0.0f);
    for (std::size_t s = 0; s < c.samples; ++s) {
      const float scale = for_each_step(c, s, [](std::size_t) {});
      for_each_step(c, s, [&](std::size_t step) {
        c.kernels.rescale(c.dxs[0] + step * features_, c.dy + s * features_, scale, 0.0f, features_);
      });
    }
  }

 private:
  // Calls body(step of the chunk) for each step of a sample that counts; returns 1 / their number.
  template <class Body>
  float for_each_step(const Chunk& c, std::size_t sample, Body body) const {
    std::size_t count = 0;
    for (std::size_t step = sample * steps_; step < (sample + 1) * steps_; ++step)
      if (c.xs[1][step] != 0.0f) ++count, body(step);
    return 1.0f / static_cast<float>(count);
  }

  std::size_t steps_, features_;
};

// a in the steps that a mask leaves, else b: mask (steps), a and b (steps, ...).
class Select final : public Layer {
 public:
  Select(const Shape& mask, const Shape& value)
      : Layer(mask, value), features_(output_size() / input_size()) {}
  void forward(const Chunk& c) const override {
    for_each_step(
        c, [&](std::size_t at, bool counts) { std::copy_n(c.xs[counts ? 1 : 2] + at, features_, c.y + at); });
  }
  void save(const Chunk&) const override {}
  void backward(const Chunk& c) const override {
    if (c.dxs[0]) std::fill_n(c.dxs[0], c.samples * input_size(), 0.0f);
    for (std::size_t i = 1; i < 3; ++i)
      if (c.dxs[i]) std::fill_n(c.dxs[i], c.samples * output_size(), 0.0f);
    for_each_step(c, [&](std::size_t at, bool counts) {
      if (float* const dx = c.dxs[counts ? 1 : 2]) std::copy_n(c.dy + at, features_, dx + at);
    });
  }

 private:
  template <class Body>
  void for_each_step(const Chunk& c, Body body) const {
    for (std::size_t s = 0; s < c.samples * input_size(); ++s) body(s * features_, c.xs[0][s] != 0.0f);
  }

  std::size_t features_;
};

}  // namespace

// of_features: a step is the last axis; else each element is a step.
std::unique_ptr<Layer> make_mask(const Spec& spec, const Shape& input) {
  Shape output = input;
  std::size_t features = 1;
  if (spec.flag("of_features")) {
    if (input.empty()) spec.fail("expected inputs with an axis of features, got samples of shape ()");
    features = input.back();
    output.pop_back();
  }
  return std::make_unique<Mask>(input, std::move(output), Steps(spec.single("value"), features));
}

std::unique_ptr<Layer> make_masking(const Spec& spec, const Shape& input) {
  if (input.empty() || std::ranges::count(input, 0u))
    spec.fail("expected samples of shape (..., steps, features), got " + to_string(input));
  return std::make_unique<Masking>(input, spec.single("mask_value"));
}

std::unique_ptr<Layer> make_masked_average(const Spec& spec, const std::vector<Shape>& inputs) {
  if (inputs.size() != 2 || inputs[0].size() != 2 || inputs[1] != Shape{inputs[0][0]} ||
      size_of(inputs[0]) == 0)
    spec.fail("expected samples of shape (steps, features) and a mask of shape (steps,), got " +
              to_string(inputs[0]) + (inputs.size() > 1 ? " and " + to_string(inputs[1]) : ""));
  const Shape output = spec.flag("keepdims") ? Shape{1, inputs[0][1]} : Shape{inputs[0][1]};
  return std::make_unique<MaskedAverage>(inputs[0], output);
}

std::unique_ptr<Layer> make_select(const Spec& spec, const std::vector<Shape>& inputs) {
  if (inputs.size() != 3 || inputs[1] != inputs[2])
    spec.fail("expected masked inputs of one shape, got " + to_string(inputs[inputs.size() > 1]) + " and " +
              to_string(inputs.back()));
  const Shape &mask = inputs[0], &value = inputs[1];
  if (mask.size() > value.size() || !std::equal(mask.begin(), mask.end(), value.begin()) ||
      size_of(mask) == 0)
    spec.fail("expected a mask of the first axes of " + to_string(value) + ", got " + to_string(mask));
  return std::make_unique<Select>(mask, value);
}

}  // namespace nncore

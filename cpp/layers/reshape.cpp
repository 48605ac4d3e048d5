#include <algorithm>
#include <optional>

#include "layer.hpp"

namespace nncore {
namespace {

// The same elements under another shape.
class Reshape final : public Layer {
 public:
  Reshape(const Shape& input, Shape output) : Layer(input, std::move(output)) {
    traits_ = {.work = 0, .is_view = true, .is_view_at_inference = true};
  }
  void forward(const Chunk& c) const override { std::copy_n(c.x, c.samples * input_size(), c.y); }
  void backward(const Chunk& c) const override {
    if (c.dx) std::copy_n(c.dy, c.samples * input_size(), c.dx);
  }
};

// (features) -> (n, features), n times the same.
class RepeatVector final : public Layer {
 public:
  RepeatVector(const Shape& input, std::size_t n) : Layer(input, {n, input[0]}), n_(n) {}
  void forward(const Chunk& c) const override {
    for_each_row(c, [&](std::size_t in, std::size_t out) { std::copy_n(c.x + in, input_size(), c.y + out); });
  }
  void save(const Chunk&) const override {}
  void backward(const Chunk& c) const override {
    if (!c.dx) return;
    std::fill_n(c.dx, c.samples * input_size(), 0.0f);
    for_each_row(
        c, [&](std::size_t in, std::size_t out) { c.kernels.add(c.dx + in, c.dy + out, input_size()); });
  }

 private:
  template <class Body>
  void for_each_row(const Chunk& c, Body body) const {
    for (std::size_t row = 0; row < c.samples * n_; ++row) body(row / n_ * input_size(), row * input_size());
  }

  std::size_t n_;
};

// The same elements with axes in another order.
class Permute final : public Layer {
 public:
  // steps: for each axis of the output its step in the input.
  Permute(const Shape& input, Shape output, Shape steps)
      : Layer(input, std::move(output)), steps_(std::move(steps)) {}
  void forward(const Chunk& c) const override {
    for_each(c, [&](std::size_t in, std::size_t out) { c.y[out] = c.x[in]; });
  }
  void save(const Chunk&) const override {}
  void backward(const Chunk& c) const override {
    if (c.dx) for_each(c, [&](std::size_t in, std::size_t out) { c.dx[in] = c.dy[out]; });
  }

 private:
  template <class Body>
  void for_each(const Chunk& c, Body body) const {
    std::size_t out = 0;
    for (std::size_t s = 0; s < c.samples; ++s) walk(0, s * input_size(), out, body);
  }
  template <class Body>
  void walk(std::size_t axis, std::size_t in, std::size_t& out, Body body) const {
    for (std::size_t i = 0; i < output()[axis]; ++i, in += steps_[axis])
      if (axis + 1 == steps_.size())
        body(in, out++);
      else
        walk(axis + 1, in, out, body);
  }

  Shape steps_;
};

}  // namespace

// dims: the axis of a sample, counted from 1, that becomes the first, the second, ...
std::unique_ptr<Layer> make_permute(const Spec& spec, const Shape& input) {
  const std::vector<std::int64_t>& dims = spec.integers("dims");
  Shape output, steps;
  for (const std::int64_t d : dims) {
    if (dims.size() != input.size() || std::ranges::count(dims, d) > 1 || d < 1 || d > offset(input.size()))
      spec.fail("dims must hold each of the " + std::to_string(input.size()) + " axes of samples of shape " +
                to_string(input) + " once, counted from 1");
    output.push_back(input[static_cast<std::size_t>(d) - 1]);
    steps.push_back(size_of({input.begin() + d, input.end()}));
  }
  if (dims.empty()) spec.fail("dims must hold at least one axis");
  return std::make_unique<Permute>(input, std::move(output), std::move(steps));
}

std::unique_ptr<Layer> make_repeat_vector(const Spec& spec, const Shape& input) {
  if (input.size() != 1) spec.fail("expected samples of shape (features,), got " + to_string(input));
  return std::make_unique<RepeatVector>(input, spec.positive("n"));
}

std::unique_ptr<Layer> make_flatten(const Spec&, const Shape& input) {
  return std::make_unique<Reshape>(input, Shape{size_of(input)});
}

std::unique_ptr<Layer> make_reshape(const Spec& spec, const Shape& input) {
  Shape output;
  std::size_t known = 1;
  std::optional<std::size_t> unknown;  // the axis of size -1
  for (std::int64_t d : spec.integers("target_shape")) {
    if (d < -1 || d == 0 || (d == -1 && unknown))
      spec.fail("target_shape must hold positive sizes, and -1 at most once, got " +
                (d == -1 ? "a second -1" : std::to_string(d)));
    if (d == -1) unknown = output.size();
    output.push_back(d == -1 ? 1 : static_cast<std::size_t>(d));
    if (__builtin_mul_overflow(known, output.back(), &known)) spec.fail("target_shape has too many elements");
  }
  const std::size_t size = size_of(input);
  if (unknown && size % known == 0) output[*unknown] = size / known;
  if (size_of(output) != size)
    spec.fail("cannot reshape samples of shape " + to_string(input) + " to target_shape " +
              to_string(output));
  return std::make_unique<Reshape>(input, output);
}

}  // namespace nncore

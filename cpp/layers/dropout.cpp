#include <algorithm>

#include "../runtime/random.hpp"
#include "layer.hpp"

namespace nncore {
namespace {

// In training an element is zero with probability `rate`, else scaled by 1 / (1 - rate). Forward and backward
// draw the same mask from the layer's key, so no mask is stored.
class Dropout final : public Layer {
 public:
  Dropout(const Shape& input, float rate) : Layer(input, input), rate_(rate) {
    traits_.is_view = rate_ == 0.0f;
    traits_.is_view_at_inference = true;
  }

  void forward(const Chunk& c) const override { apply(c, c.y, c.x); }
  void save(const Chunk&) const override {}
  void backward(const Chunk& c) const override {
    if (c.dx) apply(c, c.dx, c.dy);
  }

 private:
  void apply(const Chunk& c, float* to, const float* from) const {
    c.kernels.dropout(to, from, mix(c.key), c.first * input_size(), rate_, c.samples * input_size());
  }

  float rate_;
};

// Dropout whose elements share a random number along axes of a sample, or along the batch.
class SharedDropout final : public Layer {
 public:
  // steps: of each axis, the step in the noise of a sample, 0 where elements share it. noise: its size.
  SharedDropout(const Shape& input, float rate, Shape steps, std::size_t noise, bool of_batch)
      : Layer(input, input), rate_(rate), steps_(std::move(steps)), noise_(noise), of_batch_(of_batch) {
    traits_.scratch = 2 * noise_;
    traits_.is_view = rate_ == 0.0f;
    traits_.is_view_at_inference = true;
  }

  void forward(const Chunk& c) const override { apply(c, c.y, c.x); }
  void save(const Chunk&) const override {}
  void backward(const Chunk& c) const override {
    if (c.dx) apply(c, c.dx, c.dy);
  }

 private:
  void apply(const Chunk& c, float* to, const float* from) const {
    float *const scale = c.scratch, *const ones = c.scratch + noise_;
    std::fill_n(ones, noise_, 1.0f);
    for (std::size_t s = 0; s < c.samples; ++s, to += input_size(), from += input_size()) {
      if (s == 0 || !of_batch_)
        c.kernels.dropout(scale, ones, mix(c.key), of_batch_ ? 0 : (c.first + s) * noise_, rate_, noise_);
      multiply(to, from, scale, 0);
    }
  }
  // The part of a sample from `axis` on.
  void multiply(float* to, const float* from, const float* scale, std::size_t axis) const {
    const std::size_t n = input()[axis], step = steps_[axis];
    if (axis + 1 == input().size()) {
      for (std::size_t i = 0; i < n; ++i) to[i] = from[i] * scale[i * step];
      return;
    }
    const std::size_t part = size_of({input().begin() + offset(axis + 1), input().end()});
    for (std::size_t i = 0; i < n; ++i) multiply(to + i * part, from + i * part, scale + i * step, axis + 1);
  }

  float rate_;
  Shape steps_;
  std::size_t noise_;
  bool of_batch_;
};

}  // namespace

// noise_shape: of a batch; -1 for the size of x, 1 where elements share a random number.
std::unique_ptr<Layer> make_dropout(const Spec& spec, const Shape& input) {
  const float rate = spec.single("rate");
  if (!(rate >= 0.0f && rate <= 1.0f)) spec.fail("rate must be in [0, 1], got " + std::to_string(rate));
  if (!spec.attributes.count("noise_shape")) return std::make_unique<Dropout>(input, rate);
  const std::vector<std::int64_t>& shape = spec.integers("noise_shape");
  if (shape.size() != input.size() + 1 || input.empty())
    spec.fail("noise_shape must have " + std::to_string(input.size() + 1) + " sizes for samples of shape " +
              to_string(input) + ", the batch's included, got " + std::to_string(shape.size()));
  Shape steps(input.size());
  std::size_t noise = 1;
  for (std::size_t axis = input.size(); axis-- > 0;) {
    const std::int64_t size = shape[axis + 1];
    if (size != -1 && size != 1 && size != offset(input[axis]))
      spec.fail("noise_shape must have 1, None or the sizes of samples, " + to_string(input) + ", got " +
                std::to_string(size));
    if (size == 1) continue;
    steps[axis] = noise;
    noise *= input[axis];
  }
  return std::make_unique<SharedDropout>(input, rate, std::move(steps), noise, shape[0] == 1);
}

}  // namespace nncore

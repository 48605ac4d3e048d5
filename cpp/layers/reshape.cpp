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

}  // namespace

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

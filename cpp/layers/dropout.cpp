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

}  // namespace

std::unique_ptr<Layer> make_dropout(const Spec& spec, const Shape& input) {
  const float rate = spec.single("rate");
  if (!(rate >= 0.0f && rate <= 1.0f)) spec.fail("rate must be in [0, 1], got " + std::to_string(rate));
  return std::make_unique<Dropout>(input, rate);
}

}  // namespace nncore

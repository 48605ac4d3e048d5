#include "layer.hpp"

namespace nncore {
namespace {

// y = x * scale + offset
class Rescaling final : public Layer {
 public:
  Rescaling(const Shape& input, float scale, float offset)
      : Layer(input, input), scale_(scale), offset_(offset) {}

  void forward(const Chunk& c) const override {
    c.kernels.rescale(c.y, c.x, scale_, offset_, c.samples * input_size());
  }
  void save(const Chunk&) const override {}
  void backward(const Chunk& c) const override {
    if (c.dx) c.kernels.rescale(c.dx, c.dy, scale_, 0.0f, c.samples * input_size());
  }

 private:
  float scale_, offset_;
};

}  // namespace

std::unique_ptr<Layer> make_rescaling(const Spec& spec, const Shape& input) {
  return std::make_unique<Rescaling>(input, spec.single("scale"), spec.single("offset"));
}

}  // namespace nncore

#include "window.hpp"

namespace nncore {
namespace {

class Pooling2D : public Layer {
 public:
  Pooling2D(const Shape& input, Shape output, const Pool2D& pool)
      : Layer(input, std::move(output)), pool_(pool) {}

  std::size_t work() const override {
    return pool_.out_h * pool_.out_w * pool_.channels * pool_.pool_h * pool_.pool_w;
  }

 protected:
  Pool2D pool_;
};

class MaxPooling2D final : public Pooling2D {
 public:
  using Pooling2D::Pooling2D;

  void forward(const Chunk& c) const override {
    for (std::size_t s = 0; s < c.samples; ++s)
      c.kernels.max_pool2d(c.y + s * output_size(), c.x + s * input_size(), pool_);
  }
  void backward(const Chunk& c) const override {
    if (!c.dx) return;
    for (std::size_t s = 0; s < c.samples; ++s)
      c.kernels.max_pool2d_backward(c.dx + s * input_size(), c.dy + s * output_size(), c.x + s * input_size(),
                                    c.y + s * output_size(), pool_);
  }
};

class AveragePooling2D final : public Pooling2D {
 public:
  using Pooling2D::Pooling2D;

  void forward(const Chunk& c) const override {
    for (std::size_t s = 0; s < c.samples; ++s)
      c.kernels.average_pool2d(c.y + s * output_size(), c.x + s * input_size(), pool_);
  }
  void keep(const Chunk&) const override {}
  void backward(const Chunk& c) const override {
    if (!c.dx) return;
    for (std::size_t s = 0; s < c.samples; ++s)
      c.kernels.average_pool2d_backward(c.dx + s * input_size(), c.dy + s * output_size(), pool_);
  }
};

template <class Pooling>
std::unique_ptr<Layer> make_pooling(const Spec& spec, const Shape& input) {
  expect_image(spec, input);
  const auto [pool_h, pool_w] = spec.positive_pair("pool_size");
  const auto [stride_h, stride_w] = spec.positive_pair("strides");
  const WindowAxis h = window_axis(spec, "height", input[0], pool_h, stride_h);
  const WindowAxis w = window_axis(spec, "width", input[1], pool_w, stride_w);
  const Pool2D pool{input[0], input[1], input[2], h.out,    w.out,   pool_h,
                    pool_w,   stride_h, stride_w, h.before, w.before};
  return std::make_unique<Pooling>(input, Shape{h.out, w.out, input[2]}, pool);
}

template <class Pooling>
std::unique_ptr<Layer> make_global_pooling(const Spec& spec, const Shape& input) {
  expect_image(spec, input);
  const Pool2D pool{input[0], input[1], input[2], 1, 1, input[0], input[1], 1, 1, 0, 0};
  return std::make_unique<Pooling>(input, spec.flag("keepdims") ? Shape{1, 1, input[2]} : Shape{input[2]},
                                   pool);
}

}  // namespace

std::unique_ptr<Layer> make_max_pooling2d(const Spec& spec, const Shape& input) {
  return make_pooling<MaxPooling2D>(spec, input);
}
std::unique_ptr<Layer> make_average_pooling2d(const Spec& spec, const Shape& input) {
  return make_pooling<AveragePooling2D>(spec, input);
}
std::unique_ptr<Layer> make_global_max_pooling2d(const Spec& spec, const Shape& input) {
  return make_global_pooling<MaxPooling2D>(spec, input);
}
std::unique_ptr<Layer> make_global_average_pooling2d(const Spec& spec, const Shape& input) {
  return make_global_pooling<AveragePooling2D>(spec, input);
}

}  // namespace nncore

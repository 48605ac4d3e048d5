#include "window.hpp"

namespace nncore {
namespace {

enum class Pool { max, average };

class Pooling2D final : public Layer {
 public:
  Pooling2D(const Shape& input, Shape output, const Pool2D& window, Pool pool)
      : Layer(input, std::move(output)), window_(window), is_max_(pool == Pool::max) {
    traits_.work = window_.out_h * window_.out_w * window_.channels * window_.pool_h * window_.pool_w;
  }

  void forward(const Chunk& c) const override {
    const auto pool = is_max_ ? c.kernels.max_pool2d : c.kernels.average_pool2d;
    for (std::size_t s = 0; s < c.samples; ++s)
      pool(c.y + s * output_size(), c.x + s * input_size(), window_);
  }
  void save(const Chunk& c) const override {
    if (is_max_) forward(c);
  }
  void backward(const Chunk& c) const override {
    for (std::size_t s = 0; s < c.samples && c.dx; ++s) {
      const std::size_t in = s * input_size(), out = s * output_size();
      if (is_max_)
        c.kernels.max_pool2d_backward(c.dx + in, c.dy + out, c.x + in, c.y + out, window_);
      else
        c.kernels.average_pool2d_backward(c.dx + in, c.dy + out, window_);
    }
  }

 private:
  Pool2D window_;
  bool is_max_;
};

std::unique_ptr<Layer> make_pooling(const Spec& spec, const Shape& input, Pool pool) {
  const Shape image = image_of(spec, input);
  const auto [h, w] = windows(spec, image, "pool_size");
  const Pool2D window{h.in,   w.in,     image[2], h.out,    w.out,   h.size,
                      w.size, h.stride, w.stride, h.before, w.before};
  return std::make_unique<Pooling2D>(input, without_height(input, {h.out, w.out, image[2]}), window, pool);
}

std::unique_ptr<Layer> make_global_pooling(const Spec& spec, const Shape& input, Pool pool) {
  const Shape image = image_of(spec, input);
  const Pool2D window{image[0], image[1], image[2], 1, 1, image[0], image[1], 1, 1, 0, 0};
  const Shape output = spec.flag("keepdims") ? without_height(input, {1, 1, image[2]}) : Shape{image[2]};
  return std::make_unique<Pooling2D>(input, output, window, pool);
}

}  // namespace

std::unique_ptr<Layer> make_max_pooling2d(const Spec& spec, const Shape& input) {
  return make_pooling(spec, input, Pool::max);
}
std::unique_ptr<Layer> make_average_pooling2d(const Spec& spec, const Shape& input) {
  return make_pooling(spec, input, Pool::average);
}
std::unique_ptr<Layer> make_global_max_pooling2d(const Spec& spec, const Shape& input) {
  return make_global_pooling(spec, input, Pool::max);
}
std::unique_ptr<Layer> make_global_average_pooling2d(const Spec& spec, const Shape& input) {
  return make_global_pooling(spec, input, Pool::average);
}

}  // namespace nncore

#include "conv2d_pool.hpp"

#include <algorithm>

#include "activation.hpp"
#include "window.hpp"

namespace nncore {
namespace {

// Conv2D + ReLU or nothing + MaxPooling2D as one layer: the convolution's own output is never stored.
class Conv2DPool final : public Layer {
 public:
  Conv2DPool(const Shape& input, const ConvPool& c, std::unique_ptr<Layer> conv, bool use_bias)
      : Layer(input, {c.out_h, c.out_w, c.filters}), c_(c), conv_(std::move(conv)), use_bias_(use_bias) {}

  std::vector<Parameter> parameters() const override { return conv_->parameters(); }
  // The argmax, a byte an output.
  std::size_t kept() const override { return (output_size() + sizeof(float) - 1) / sizeof(float); }
  // The gradient of the convolution's output, then what the convolution's backward needs.
  std::size_t scratch() const override { return size_of(conv_->output()) + conv_->scratch(); }
  std::size_t work() const override { return conv_->work(); }

  void forward(const Chunk& c) const override {
    const float* bias = use_bias_ ? c.parameters + kernel_size() : nullptr;
    for (std::size_t s = 0; s < c.samples; ++s)
      c.kernels.conv_pool(c.y + s * output_size(), c.kept ? argmax(c.kept, s) : nullptr,
                          c.x + s * input_size(), c.parameters, bias, c_);
  }

  void backward(const Chunk& c) const override {
    if (c_.relu)
      c.kernels.activation_backward(c.dy, c.dy, c.y, Activation::relu, 0.0f, c.samples * output_size());
    if (!c.dx) return;
    const std::size_t conv_size = size_of(conv_->output());
    for (std::size_t s = 0; s < c.samples; ++s) {
      unpool(c.scratch, c.dy + s * output_size(), argmax(c.kept, s));
      conv_->backward({.kernels = c.kernels,
                       .samples = 1,
                       .first = 0,
                       .key = 0,
                       .parameters = c.parameters,
                       .replica = c.replica,
                       .scratch = c.scratch + conv_size,
                       .kept = nullptr,
                       .x = nullptr,
                       .y = nullptr,
                       .dy = c.scratch,
                       .dx = c.dx + s * input_size()});
    }
  }

  Shape tile_shape(std::size_t parameter) const override {
    constexpr std::size_t kColumns = 16;
    return {parameter == 1 ? 1 : kernel_size() / c_.filters, std::min(c_.filters, kColumns)};
  }

  void gradient(const Batch& b, const Tile& t) const override {
    if (t.parameter == 1)
      return b.kernels.column_sums(b.gradient + kernel_size() + t.column, b.dy + t.column,
                                   b.samples * c_.out_h * c_.out_w, t.columns, c_.filters, false);
    for (std::size_t r = 0; r < t.rows; ++r)
      std::fill_n(b.gradient + r * c_.filters + t.column, t.columns, 0.0f);
    for (std::size_t s = 0; s < b.samples; ++s)
      b.kernels.conv_pool_gradient(b.gradient, b.dy + s * output_size(), argmax(b.kept, s),
                                   b.x + s * input_size(), c_, t.column, t.column + t.columns);
  }

  std::size_t replica(const Kernels& k) const override { return conv_->replica(k); }
  void replicate(const Kernels& k, float* replica, const float* parameters, const Tile& t) const override {
    conv_->replicate(k, replica, parameters, t);
  }

 private:
  std::size_t kernel_size() const { return c_.kernel_h * c_.kernel_w * c_.channels * c_.filters; }

  std::uint8_t* argmax(float* kept, std::size_t sample) const {
    return reinterpret_cast<std::uint8_t*>(kept + sample * this->kept());
  }
  const std::uint8_t* argmax(const float* kept, std::size_t sample) const {
    return reinterpret_cast<const std::uint8_t*>(kept + sample * this->kept());
  }

  // dconv: the gradient of the convolution's output, zero but at one position of each window.
  void unpool(float* dconv, const float* dy, const std::uint8_t* argmax) const {
    const Shape& conv = conv_->output();
    std::fill_n(dconv, size_of(conv), 0.0f);
    for (std::size_t oy = 0; oy < c_.out_h; ++oy)
      for (std::size_t ox = 0; ox < c_.out_w; ++ox)
        for (std::size_t f = 0; f < c_.filters; ++f, ++dy, ++argmax) {
          const std::size_t y = oy * c_.pool_h + *argmax / c_.pool_w,
                            x = ox * c_.pool_w + *argmax % c_.pool_w;
          dconv[(y * conv[1] + x) * c_.filters + f] = *dy;
        }
  }

  ConvPool c_;
  std::unique_ptr<Layer> conv_;  // the same convolution without activation
  bool use_bias_;
};

}  // namespace

std::unique_ptr<Layer> fuse_conv2d_pool(const Spec& conv, const Spec& pool, const Shape& input) {
  const ActivationFunction activation = activation_of(conv);
  if (!activation.is_linear() && activation.kind != Activation::relu) return nullptr;
  const auto one = std::pair<std::size_t, std::size_t>{1, 1};
  if (conv.positive_pair("strides") != one || conv.positive_pair("dilation_rate") != one ||
      conv.positive("groups") != 1 || conv.text("padding") != "valid" || pool.text("padding") != "valid")
    return nullptr;
  const auto [pool_h, pool_w] = pool.positive_pair("pool_size");
  if (pool.positive_pair("strides") != pool.positive_pair("pool_size") || pool_h * pool_w > 256)
    return nullptr;

  Spec linear = conv;
  linear.attributes["activation"] = std::string(name_of(Activation::linear));
  auto layer = make_layer(linear, input);
  const Shape output = make_layer(pool, layer->output())->output();
  const auto [kernel_h, kernel_w] = conv.positive_pair("kernel_size");
  const ConvPool c{.in_h = input[0],
                   .in_w = input[1],
                   .channels = input[2],
                   .filters = output[2],
                   .out_h = output[0],
                   .out_w = output[1],
                   .kernel_h = kernel_h,
                   .kernel_w = kernel_w,
                   .pool_h = pool_h,
                   .pool_w = pool_w,
                   .relu = !activation.is_linear()};
  return std::make_unique<Conv2DPool>(input, c, std::move(layer), conv.flag("use_bias"));
}

}  // namespace nncore

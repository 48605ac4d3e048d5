#include "conv2d_transpose.hpp"

#include <algorithm>

#include "activation.hpp"

namespace nncore {
namespace {

// y = f(bias + the input gradient of a convolution whose output gradient is x). kernel (kh, kw, filters,
// channels), bias (filters). Its input gradient is that convolution, and the two share the kernel's gradient.
class Conv2DTranspose final : public ActivatedLayer {
 public:
  Conv2DTranspose(const Spec& spec, const Shape& input, const WindowAxis& h, const WindowAxis& w,
                  const Shape& kernel, const ActivationFunction& activation)
      : ActivatedLayer(input, {h.in, w.in, kernel[2]}, {"kernel", kernel}, spec.flag("use_bias"), activation),
        convolution_(make_transposed(spec, output(), h, w, kernel, saved_z())) {
    traits_.saved = convolution_->traits().saved;
    traits_.scratch = convolution_->traits().scratch;
    traits_.work = convolution_->traits().work;
  }

  void prepare() override { convolution_->prepare(); }

  void forward(const Chunk& c) const override {
    Chunk one = c;
    one.samples = 1;
    for (std::size_t s = 0; s < c.samples; ++s) {
      float* const z = one.dx = z_of(c, s);
      one.dy = c.x + s * input_size();
      convolution_->backward(one);
      for (std::size_t i = 0; use_bias() && i < rows_; ++i)
        c.kernels.add(z + i * filters_, bias(c), filters_);
      activate(c, c.y + s * output_size(), z, rows_);
    }
  }
  // Saves the padded dz, which the kernel's gradient reads.
  void backward(const Chunk& c) const override {
    Chunk turned = c;
    turned.x = activation_gradient(c);
    turned.y = c.dx;
    c.dx ? convolution_->forward(turned) : convolution_->save(turned);
  }

  Shape tile_shape(std::size_t parameter) const override {
    constexpr std::size_t kColumns = 64;
    return parameter == 1 ? Shape{1, std::min(filters_, kColumns)} : convolution_->tile_shape(0);
  }
  void gradient(const Batch& b, const Tile& t) const override {
    if (t.parameter == 1)
      return b.kernels.column_sums(b.gradient, b.dy + t.column, b.samples * rows_, t.columns, filters_);
    Batch turned = b;
    turned.x = b.dy, turned.dy = b.x;
    convolution_->gradient(turned, t);
  }

  std::size_t packed_size(const Kernels& k, bool) const override {
    return convolution_->packed_size(k, true);
  }
  void pack(const Kernels& k, float* packed, const float* parameters, const Tile& t,
            Readers readers) const override {
    if (readers.forward) convolution_->pack(k, packed, parameters, t, {false, true});
  }

 private:
  std::unique_ptr<Layer> convolution_;
};

// The axis of the convolution: its input is the output of the transposed one. As in TensorFlow, "same" gives
// in * stride, or (in - 1) * stride + extent % 2 + output_padding if that is given (not negative).
WindowAxis transposed_axis(const Spec& spec, std::size_t in, std::size_t size, std::size_t dilation,
                           std::size_t stride, std::int64_t output_padding) {
  const std::string& padding = spec.text("padding");
  if (padding != "valid" && padding != "same")
    spec.fail("padding must be 'valid' or 'same', got '" + padding + "'");
  const std::int64_t extent = offset((size - 1) * dilation + 1), step = offset(stride);
  std::int64_t front = 0, out = 0;  // what is cut off the full output in front
  if (padding == "valid") {
    out = offset(in - 1) * step + extent +
          (output_padding < 0 ? std::max(extent, step) - extent : output_padding);
  } else {
    const std::int64_t kept =
        output_padding < 0 ? step + extent - 2 : extent + extent % 2 - 2 + output_padding;
    front = extent - 1 - std::min((kept + 1) / 2, extent - 1);
    out = output_padding < 0 ? offset(in) * step : offset(in - 1) * step + extent % 2 + output_padding;
  }
  if (out < 1) spec.fail("the output has no pixels; use a larger kernel_size or output_padding");
  const std::int64_t behind = offset(in - 1) * step + extent - front - out;
  return {static_cast<std::size_t>(out),
          in,
          size,
          dilation,
          stride,
          static_cast<std::size_t>(front),
          static_cast<std::size_t>(std::max<std::int64_t>(0, behind))};
}

}  // namespace

// output_padding: two numbers, -1 for the default
std::unique_ptr<Layer> make_conv2d_transpose(const Spec& spec, const Shape& input) {
  expect_image(spec, input);
  const std::size_t filters = spec.positive("filters");
  const auto [kernel_h, kernel_w] = spec.positive_pair("kernel_size");
  const auto [stride_h, stride_w] = spec.positive_pair("strides");
  const auto [dilation_h, dilation_w] = spec.positive_pair("dilation_rate");
  const std::vector<std::int64_t>& more = spec.integers("output_padding");
  if (more.size() != 2 || more[0] < -1 || more[1] < -1 || more[0] >= offset(stride_h) ||
      more[1] >= offset(stride_w))
    spec.fail("output_padding must be below strides");
  const WindowAxis h = transposed_axis(spec, input[0], kernel_h, dilation_h, stride_h, more[0]),
                   w = transposed_axis(spec, input[1], kernel_w, dilation_w, stride_w, more[1]);
  return std::make_unique<Conv2DTranspose>(spec, input, h, w, Shape{kernel_h, kernel_w, filters, input[2]},
                                           activation_of(spec));
}

}  // namespace nncore

#include "conv2d_pool.hpp"

#include <algorithm>

#include "conv2d_winograd.hpp"
#include "long_sum.hpp"
#include "window.hpp"

namespace nncore {
namespace {

// Conv2D (linear or with ReLU) and MaxPooling2D as one layer: the output of the convolution is never stored.
// The packed weights hold the transformed kernel, if Winograd's filtering computes the outputs (a pooling
// window is then a tile), and the transposed kernel (filters, taps) for the input gradient.
class Conv2DPool final : public Layer {
 public:
  Conv2DPool(const Shape& input, const ConvPool& c, std::unique_ptr<Layer> conv, bool by_winograd)
      : Layer(input, without_height(input, {c.out_h, c.out_w, c.filters})),
        c_(c),
        parameters_(conv->parameters()),
        conv_(input.size() == 2 && c.pool_h * c.pool_w != 4 ? std::move(conv) : nullptr),
        block_(by_winograd ? winograd_block(c.out_h, c.out_w) : 0) {
    Traits& t = traits_;
    // The list of windows, then the argmax of one byte an output, up to the next possible start of a list.
    t.saved = window_floats() + (output_size() + sizeof(PoolWindow) - 1) / sizeof(PoolWindow) * kWindowFloats;
    // Forward: the list of windows if nothing is saved, or the transforms of a block of tiles. Backward: the
    // transposed kernel gradient and the scratch of its kernel.
    t.scratch = std::max({window_floats(), aligned(kernel_size()) + conv_pool_scratch(c_),
                          kWinogradElements * block_ * c_.out_w * (c_.channels + c_.filters),
                          conv_ ? size_of(conv_->output()) + c_.filters : 0});
    t.work = output_size() * c_.pool_h * c_.pool_w * taps();
    // If the parameters are fewer than the outputs of a sample, or the fast kernel adds over samples anyway.
    t.sums_by_chunk = has_quads(c_) || kernel_size() + c_.filters <= output_size();
    // The other gradients apply the slope of ReLU by the argmax.
    t.writes_dz = c_.relu && !t.sums_by_chunk;
  }

  std::vector<Parameter> parameters() const override { return parameters_; }
  void prepare() override {
    if (conv_) conv_->prepare();
  }

  void forward(const Chunk& c) const override {
    const float* bias = use_bias() ? c.parameters + kernel_size() : nullptr;
    for (std::size_t s = 0; s < c.samples; ++s) {
      float* y = c.y + s * output_size();
      std::uint8_t* a = c.saved ? argmax(c.saved, s) : nullptr;
      const float* x = c.x + s * input_size();
      if (conv_) {
        by_products(c, y, a, x);
        continue;
      }
      // Winograd's transforms make NaN of infinities, so such samples are computed again.
      if (block_ == 0 || !by_winograd(c, y, a, x, bias))
        c.kernels.conv_pool(y, a, reinterpret_cast<PoolWindow*>(c.saved ? c.saved + s * saved() : c.scratch),
                            x, c.parameters, bias, c_);
    }
  }

  void backward(const Chunk& c) const override {
    if (c.gradient) {
      c.kernels.conv_pool_gradient(
          c.scratch, use_bias() ? c.gradient + kernel_size() : nullptr, c.dy, argmax(c.saved, 0),
          reinterpret_cast<const PoolWindow*>(c.saved), c.x, c.scratch + aligned(kernel_size()),
          {.samples = c.samples, .saved_stride = saved() * sizeof(float), .filters = c_.filters}, c_);
      turn(c.gradient, c_.filters, c.scratch, c_.filters);
    } else if (traits().writes_dz)
      ActivationFunction{Activation::relu}.backward(c.kernels, c.dz, c.dy, c.y, c.samples, output_size());
    if (!c.dx) return;
    for (std::size_t s = 0; s < c.samples; ++s)
      c.kernels.conv_pool_input_gradient(c.dx + s * input_size(), c.dy + s * output_size(),
                                         argmax(c.saved, s), c.packed + transposed_at(c.kernels), c_);
  }

  Shape tile_shape(std::size_t parameter) const override {
    constexpr std::size_t kFilters = 16, kSummed = 8192;  // a tile holds all taps, for Winograd's transform
    const std::size_t filters =
        traits().sums_by_chunk ? std::max<std::size_t>(1, kSummed / taps() / kFilters) * kFilters : kFilters;
    return {parameter == 1 ? 1 : taps(), std::min(c_.filters, filters)};
  }

  void gradient(const Batch& b, const Tile& t) const override {
    if (t.parameter == 1)
      return b.kernels.column_sums(b.gradient, b.dy + t.column, b.samples * c_.out_h * c_.out_w, t.columns,
                                   c_.filters);
    float* const gradient = sum_scratch(b);
    b.kernels.conv_pool_gradient(
        gradient, nullptr, b.dy + t.column, argmax(b.saved, 0) + t.column, nullptr, b.x,
        gradient + aligned(taps() * t.columns),
        {.samples = b.samples, .saved_stride = saved() * sizeof(float), .filters = t.columns}, c_);
    turn(b.gradient, b.gradient_row, gradient, t.columns);
  }

  std::size_t packed_size(const Kernels& k, bool for_dx) const override {
    return transposed_at(k) + (for_dx ? kernel_size() + kSlack : 0);
  }
  void pack(const Kernels& kernels, float* packed, const float* parameters, const Tile& t,
            Readers readers) const override {
    if (t.parameter == 1) return;
    if (readers.dx)
      for (std::size_t k = t.row; k < t.row + t.rows; ++k)
        for (std::size_t f = t.column; f < t.column + t.columns; ++f)
          packed[transposed_at(kernels) + f * taps() + k] = parameters[k * c_.filters + f];
    if (block_)
      kernels.winograd_kernel(packed, in_panels(kernels, c_.channels, c_.filters), parameters, c_.channels,
                              c_.filters, t.column, t.column + t.columns);
  }

 private:
  std::size_t taps() const { return c_.kernel_h * c_.kernel_w * c_.channels; }
  std::size_t kernel_size() const { return taps() * c_.filters; }
  bool use_bias() const { return parameters_.size() > 1; }

  // Offset of the transposed kernel in the packed weights, behind the transformed kernel.
  std::size_t transposed_at(const Kernels& k) const {
    return block_ ? kWinogradElements * in_panels(k, c_.channels, c_.filters) : 0;
  }
  // Transposes the gradient (filters, taps) of some filters into the layout of the kernel.
  void turn(float* to, std::size_t to_row, const float* from, std::size_t filters) const {
    for (std::size_t k = 0; k < taps(); ++k)
      for (std::size_t f = 0; f < filters; ++f) to[k * to_row + f] = from[f * taps() + k];
  }

  // One sample, whose convolution is one product, in scratch.
  void by_products(const Chunk& c, float* y, std::uint8_t* argmax, const float* x) const {
    Chunk one = c;
    one.samples = 1, one.x = x, one.y = c.scratch, one.saved = nullptr;
    conv_->forward(one);
    const std::size_t n = c_.filters;
    auto* const index = reinterpret_cast<std::int32_t*>(c.scratch + size_of(conv_->output()));
    for (std::size_t o = 0; o < c_.out_w; ++o, y += n) {
      const float* z = c.scratch + o * c_.pool_w * n;
      std::copy_n(z, n, y);
      std::fill_n(index, n, 0);
      for (std::int32_t q = 1; q < offset(c_.pool_w); ++q) {
        z += n;
        for (std::size_t f = 0; f < n; ++f) {
          const bool better = !(z[f] <= y[f]) & (y[f] == y[f]);
          y[f] = better ? z[f] : y[f];
          index[f] = better ? q : index[f];
        }
      }
      if (!argmax) continue;
      const auto none = static_cast<std::uint8_t>(c_.pool_w);
      for (std::size_t f = 0; f < n; ++f)
        argmax[f] = c_.relu && !(y[f] > 0.0f) ? none : static_cast<std::uint8_t>(index[f]);
      argmax += n;
    }
  }

  // One sample; false if an output is not finite.
  bool by_winograd(const Chunk& c, float* y, std::uint8_t* argmax, const float* x, const float* bias) const {
    const std::size_t v_element = block_ * c_.out_w * c_.channels, m_element = block_ * c_.out_w * c_.filters,
                      row = c_.in_w * c_.channels;
    float *v = c.scratch, *m = c.scratch + kWinogradElements * v_element;
    bool finite = true;
    for (std::size_t first = 0; first < c_.out_h; first += block_) {
      const std::size_t last = std::min(first + block_, c_.out_h), tiles = (last - first) * c_.out_w,
                        at = first * c_.out_w * c_.filters;
      for (std::size_t r = first; r < last; ++r)
        c.kernels.winograd_input(v + (r - first) * c_.out_w * c_.channels, v_element, x + 2 * r * row, row,
                                 c_.channels, c_.out_w);
      multiply(c.kernels,
               {m, m_element, c_.filters, v, v_element, c_.channels, c.packed, tiles, c.gemm_scratch});
      finite &= c.kernels.winograd_pooled_output(y + at, argmax ? argmax + at : nullptr, m, m_element, bias,
                                                 tiles, c_.filters, c_.relu);
    }
    return finite;
  }

  static constexpr std::size_t kWindowFloats = sizeof(PoolWindow) / sizeof(float);
  std::size_t window_floats() const { return listed_windows(c_) * kWindowFloats; }
  std::uint8_t* argmax(const float* saved, std::size_t sample) const {
    return reinterpret_cast<std::uint8_t*>(const_cast<float*>(saved) + sample * this->saved() +
                                           window_floats());
  }

  ConvPool c_;
  std::vector<Parameter> parameters_;
  std::unique_ptr<Layer> conv_;  // of sequences, unless a window has four positions
  std::size_t block_;            // rows of tiles in a block of Winograd's filtering; 0 if it is not used
};

}  // namespace

std::unique_ptr<Layer> fuse_conv2d_pool(const Spec& conv, const Spec& pool, const Shape& input) {
  const ActivationFunction activation = activation_of(conv);
  if (!activation.is_linear() && activation.kind != Activation::relu) return nullptr;
  const auto one = std::pair<std::size_t, std::size_t>{1, 1};
  if (conv.positive_pair("strides") != one || conv.positive_pair("dilation_rate") != one ||
      conv.attributes.count("depth_multiplier") || conv.positive("groups") != 1 ||
      conv.text("padding") != "valid" || pool.text("padding") != "valid")
    return nullptr;
  const auto [pool_h, pool_w] = pool.positive_pair("pool_size");
  if (pool.positive_pair("strides") != pool.positive_pair("pool_size") ||
      pool_h * pool_w > kMostPoolPositions)
    return nullptr;

  auto layer = make_layer(conv, {input});
  const Shape image = image_of(conv, input), convolved = image_of(conv, layer->output()),
              output = image_of(conv, make_layer(pool, {layer->output()})->output());
  const auto [kernel_h, kernel_w] = conv.positive_pair("kernel_size");
  const ConvPool c{.in_h = image[0],
                   .in_w = image[1],
                   .channels = image[2],
                   .filters = output[2],
                   .out_h = output[0],
                   .out_w = output[1],
                   .kernel_h = kernel_h,
                   .kernel_w = kernel_w,
                   .pool_h = pool_h,
                   .pool_w = pool_w,
                   .relu = !activation.is_linear()};
  const bool by_winograd = pool_h == 2 && pool_w == 2 && fits_winograd(conv, image, convolved);
  return std::make_unique<Conv2DPool>(input, c, std::move(layer), by_winograd);
}

}  // namespace nncore

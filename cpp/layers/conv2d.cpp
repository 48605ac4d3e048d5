#include <algorithm>
#include <initializer_list>

#include "conv2d_transpose.hpp"
#include "conv2d_winograd.hpp"
#include "long_sum.hpp"

namespace nncore {
namespace {

// y = f(bias + sum over taps of x[window] * kernel), channels last. kernel (kh, kw, in / groups, filters), or
// with depth_multiplier (kh, kw, in, depth_multiplier), where each channel is a group. bias (filters).
// Samples (steps, channels) are images of height 1, whose kernel has no axis of height.
//
// All three products are Gemm calls on the padded image itself: output positions and taps are two lists of
// offsets into it. In the forward product positions are the rows and taps the segments; the weight gradient
// swaps them. The input gradient multiplies one row of output positions with the packed, transposed kernel
// and adds the result to the windows. Depthwise convolutions have kernels of their own. Most 3 x 3 kernels of
// many channels use conv2d_winograd.cpp.
class Conv2D final : public ActivatedLayer {
 public:
  // others: floats in front of the padded image that the caller saves for each sample.
  Conv2D(const Shape& input, const WindowAxis& h, const WindowAxis& w, const Parameter& kernel,
         std::size_t groups, bool use_bias, const ActivationFunction& activation, std::size_t others = 0)
      : ActivatedLayer(input, without_height(input, {h.out, w.out, kernel.units}), kernel, use_bias,
                       activation),
        h_(h),
        w_(w),
        channels_(input.back()),
        groups_(groups),
        frame_{h.in, w.in, channels_, h.before, w.before, h.padded(), w.padded()},
        saved_first_(saved_z() + others),
        whole_rows_(groups_ == 1 && w.dilation == 1),
        segment_((whole_rows_ ? w.size : 1) * group_channels()) {
    Traits& t = traits_;
    t.saved = saved_first_ + padded_size();
    // Forward: the padded image. Backward: its gradient and one row of products.
    t.scratch = padded_size() + w_.out * taps_count();
    t.work = positions_count() * taps_count() * filters_;
  }

  void prepare() override {
    if (!positions_.empty()) return;
    const std::size_t row = frame_.row();
    std::vector<std::ptrdiff_t> segments, taps, rows, positions;
    for (std::size_t kh = 0; kh < h_.size; ++kh)
      for (std::size_t kw = 0; kw < w_.size; kw += whole_rows_ ? w_.size : 1)
        segments.push_back(offset(kh * h_.dilation * row + kw * w_.dilation * channels_));
    taps.reserve(taps_count());
    for (std::ptrdiff_t segment : segments)
      for (std::size_t k = 0; k < segment_; ++k) taps.push_back(segment + offset(k));
    positions.reserve(positions_count());
    for (std::size_t oy = 0; oy < h_.out; ++oy) {
      rows.push_back(offset(oy * h_.stride * row));
      for (std::size_t ox = 0; ox < w_.out; ++ox)
        positions.push_back(rows.back() + offset(ox * w_.stride * channels_));
    }
    segments_.swap(segments), taps_.swap(taps), rows_.swap(rows), positions_.swap(positions);
  }

  void forward(const Chunk& c) const override {
    for (std::size_t s = 0; s < c.samples; ++s) {
      float *y = c.y + s * output_size(), *z = z_of(c, s);
      const float* x = c.x + s * input_size();
      if (is_padded()) x = pad(c, s, c.saved ? padded(c.saved, s) : c.scratch);
      if (is_depthwise())
        c.kernels.depthwise(z, x, c.parameters, bias(c), depthwise(0, segments_.size(), filters_));
      else
        for (std::size_t g = 0; g < groups_; ++g)
          c.kernels.gemm({.c = {z + g * group_filters(), filters_},
                          .a = {x + g * group_channels(), 0, 1, positions_.data()},
                          .segments = {segments_.data(), segments_.size()},
                          .b = {c.parameters + g * group_filters(), filters_, c.kernels.panel},
                          .bias = use_bias() ? bias(c) + g * group_filters() : nullptr,
                          .size = {positions_count(), group_filters(), segment_},
                          .scratch = c.gemm_scratch});
      activate(c, y, z, positions_count());
    }
  }

  void save(const Chunk& c) const override {
    if (traits().writes_dz) return forward(c);
    for (std::size_t s = 0; s < c.samples && is_padded(); ++s) pad(c, s, padded(c.saved, s));
  }

  void backward(const Chunk& c) const override {
    const float* const dz = activation_gradient(c);
    for (std::size_t s = 0; s < c.samples && c.dx; ++s) {
      float* dx = c.dx + s * input_size();
      float* frame = is_padded() ? c.scratch : dx;
      input_gradient(c, frame, dz + s * output_size(), c.scratch + padded_size());
      if (is_padded()) frame_.crop(dx, frame);
    }
  }

  Shape tile_shape(std::size_t parameter) const override {
    constexpr std::size_t kRows = 2 * kPanels, kColumns = 64;
    return {parameter == 1 ? 1 : kRows, std::min(filters_, kColumns)};
  }

  void gradient(const Batch& b, const Tile& t) const override {
    const std::size_t positions = positions_count();
    if (t.parameter == 1)
      return b.kernels.column_sums(b.gradient, b.dy + t.column, b.samples * positions, t.columns, filters_);
    // A run covers whole samples, or else whole rows of outputs, unless these are longer than kRunRows.
    const std::size_t unit = positions <= kRunRows ? positions : w_.out <= kRunRows ? w_.out : kRunRows;
    sum_rows(b, t, b.samples * positions, kRunRows / unit * unit,
             [&](std::size_t first, std::size_t count, float* to, std::size_t to_row) {
               is_depthwise() ? depthwise_gradient(b, t, first, count, to, to_row)
                              : kernel_gradient(b, t, first, count, to, to_row);
             });
  }

  // The packed weights are, for each group, the transposed kernel (filters, taps) in panels of taps.
  std::size_t packed_size(const Kernels& k, bool for_dx) const override {
    return is_depthwise() || !for_dx ? 0 : in_panels(k, filters_, taps_count());
  }
  void pack(const Kernels& k, float* packed, const float* parameters, const Tile& t,
            Readers readers) const override {
    if (t.parameter == 1 || is_depthwise() || !readers.dx) return;
    for (std::size_t first = t.column; first < t.column + t.columns;) {
      const std::size_t group = first / group_filters();
      const std::size_t last = std::min(t.column + t.columns, (group + 1) * group_filters());
      float* dst = packed + group * in_panels(k, group_filters(), taps_count()) + t.row * group_filters() +
                   (first - group * group_filters()) * k.panel;
      k.pack_transposed(dst, group_filters() * k.panel, parameters + t.row * filters_ + first, last - first,
                        t.rows, filters_);
      first = last;
    }
  }

 private:
  std::size_t group_channels() const { return channels_ / groups_; }
  std::size_t group_filters() const { return filters_ / groups_; }
  std::size_t taps_count() const { return h_.size * w_.size * group_channels(); }
  std::size_t positions_count() const { return h_.out * w_.out; }

  bool is_depthwise() const { return groups_ > 1 && groups_ == channels_ && groups_ == filters_; }
  Depthwise depthwise(std::size_t first_tap, std::size_t taps, std::size_t channels) const {
    return {positions_.data(), positions_count(), segments_.data() + first_tap, taps, filters_, channels};
  }

  bool is_padded() const { return !frame_.is_image(); }
  std::size_t padded_size() const { return is_padded() ? frame_.size() : 0; }
  template <class Float>
  Float* padded(Float* saved_memory, std::size_t s) const {
    return saved_memory + s * saved() + saved_first_;
  }
  const float* pad(const Chunk& c, std::size_t s, float* to) const {
    frame_.pad(to, c.x + s * input_size());
    return to;
  }
  const float* image(const Batch& b, std::size_t s) const {
    return is_padded() ? padded(b.saved, s) : b.x + s * input_size();
  }

  // A tile of the kernel's gradient over outputs [first, first + count) of the batch.
  void depthwise_gradient(const Batch& b, const Tile& t, std::size_t first, std::size_t count, float* to,
                          std::size_t to_row) const {
    const std::size_t positions = positions_count(), last = first + count;
    for (std::size_t r = 0; r < t.rows; ++r) std::fill_n(to + r * to_row, t.columns, 0.0f);
    for (std::size_t p = first, n = 0; p < last; p += n) {
      n = std::min(last - p, positions - p % positions);
      Depthwise d = depthwise(t.row, t.rows, t.columns);
      d.positions += p % positions, d.m = n;
      b.kernels.depthwise_gradient(to, to_row, image(b, p / positions) + t.column,
                                   b.dy + p * filters_ + t.column, d);
    }
  }
  void kernel_gradient(const Batch& b, const Tile& t, std::size_t first, std::size_t count, float* to,
                       std::size_t to_row) const {
    const std::size_t positions = positions_count(), last = first + count;
    for (std::size_t f = t.column, n_f = 0; f < t.column + t.columns; f += n_f) {
      const std::size_t group = f / group_filters();
      n_f = std::min(t.column + t.columns, (group + 1) * group_filters()) - f;
      // A product covers the remaining whole rows of outputs of a sample, or a part of one row.
      for (std::size_t p = first, n = 0; p < last; p += n) {
        const std::size_t at = p % positions, left = std::min(last - p, positions - at), ox = at % w_.out,
                          rows = ox == 0 ? left / w_.out : 0;
        n = rows > 0 ? rows * w_.out : std::min(left, w_.out - ox);
        b.kernels.gemm({.c = {to + f - t.column, to_row},
                        .a = {image(b, p / positions) + group * group_channels() + ox * w_.stride * channels_,
                              0, offset(w_.stride * channels_), taps_.data() + t.row},
                        .segments = {rows_.data() + at / w_.out, std::max<std::size_t>(1, rows)},
                        .b = {b.dy + p * filters_ + f, filters_, b.kernels.panel},
                        .size = {t.rows, n_f, rows > 0 ? w_.out : n},
                        .accumulate = p > first,
                        .scratch = b.scratch});
      }
    }
  }

  // Writes the padded dx of one sample. products: scratch of w_.out * taps floats.
  void input_gradient(const Chunk& c, float* dx, const float* dy, float* products) const {
    std::fill_n(dx, frame_.size(), 0.0f);
    if (is_depthwise())
      return c.kernels.depthwise_input_gradient(dx, dy, c.parameters,
                                                depthwise(0, segments_.size(), filters_));
    for (std::size_t oy = 0; oy < h_.out; ++oy) {
      for (std::size_t g = 0; g < groups_; ++g) {
        c.kernels.gemm({.c = {products, taps_count()},
                        .a = {dy + oy * w_.out * filters_ + g * group_filters(), offset(filters_)},
                        .b = {c.packed + g * in_panels(c.kernels, group_filters(), taps_count()),
                              c.kernels.panel, group_filters() * c.kernels.panel},
                        .size = {w_.out, taps_count(), group_filters()},
                        .scratch = c.gemm_scratch});
        for (std::size_t ox = 0; ox < w_.out; ++ox) {
          float* window = dx + positions_[oy * w_.out + ox] + offset(g * group_channels());
          const float* product = products + ox * taps_count();
          for (std::ptrdiff_t segment : segments_) {
            c.kernels.add(window + segment, product, segment_);
            product += segment_;
          }
        }
      }
    }
  }

  WindowAxis h_, w_;
  std::size_t channels_, groups_;
  Frame frame_;
  std::size_t saved_first_;  // floats of the saved activations in front of the padded image
  bool whole_rows_;          // whether a segment is a whole row of the kernel
  std::size_t segment_;      // elements
  // Made by prepare:
  std::vector<std::ptrdiff_t> segments_;   // offsets of runs of taps that are contiguous in the image
  std::vector<std::ptrdiff_t> taps_;       // (kh, kw, channels of a group)
  std::vector<std::ptrdiff_t> rows_;       // first position of each output row
  std::vector<std::ptrdiff_t> positions_;  // (out_h, out_w)
};

// Limits the tables of offsets and the arrays that they point into.
void check_limits(const Spec& spec, const WindowAxis& h, const WindowAxis& w, std::size_t channels,
                  std::size_t group_channels) {
  constexpr std::size_t kMost = std::size_t{1} << 27;
  const auto limit = [&](const char* what, std::initializer_list<std::size_t> factors) {
    std::size_t n = 1;
    for (std::size_t f : factors)
      if (__builtin_mul_overflow(n, f, &n) || n > kMost)
        spec.fail(std::string(what) + " has more than " + std::to_string(kMost) + " elements");
  };
  limit("a filter", {h.size, w.size, group_channels});
  limit("one channel of the output", {h.out, w.out});
  limit("the padded image", {h.padded(), w.padded(), channels});
}

}  // namespace

std::unique_ptr<Layer> make_transposed(const Spec& spec, const Shape& image, const WindowAxis& h,
                                       const WindowAxis& w, const Shape& kernel, std::size_t others) {
  check_limits(spec, h, w, image[2], image[2]);
  return std::make_unique<Conv2D>(image, h, w, Parameter{"kernel", kernel}, 1, false, ActivationFunction{},
                                  others);
}

std::unique_ptr<Layer> make_conv2d(const Spec& spec, const Shape& input) {
  const Shape image = image_of(spec, input);
  const bool by_channel = spec.attributes.count("depth_multiplier") > 0;
  const std::size_t channels = image[2], groups = by_channel ? channels : spec.positive("groups"),
                    filters =
                        by_channel ? groups * spec.positive("depth_multiplier") : spec.positive("filters");
  if (channels % groups || filters % groups)
    spec.fail("groups=" + std::to_string(groups) + " must divide the " + std::to_string(channels) +
              " input channels and the " + std::to_string(filters) + " filters");
  const auto [h, w] = windows(spec, image, "kernel_size");
  check_limits(spec, h, w, channels, channels / groups);
  const Parameter kernel{
      .name = spec.attributes.count("kernel_name") ? spec.text("kernel_name") : "kernel",
      .shape = without_height(input, by_channel ? Shape{h.size, w.size, groups, filters / groups}
                                                : Shape{h.size, w.size, channels / groups, filters}),
      .units = filters};
  const auto plain = [&, h = h, w = w](const ActivationFunction& activation) {
    return std::make_unique<Conv2D>(input, h, w, kernel, groups, spec.flag("use_bias"), activation);
  };
  const ActivationFunction activation = activation_of(spec);
  if (by_channel || !fits_winograd(spec, image, {h.out, w.out, filters})) return plain(activation);
  return make_conv2d_winograd(activation, h, w, plain(ActivationFunction{}));
}

}  // namespace nncore

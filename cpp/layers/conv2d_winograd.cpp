#include "conv2d_winograd.hpp"

#include <algorithm>

#include "../runtime/memory.hpp"

namespace nncore {
namespace {

// Rows of tiles are processed in blocks: the transformed inputs v and outputs m of a block, sixteen matrices
// each, stay in the second-level cache. The packed weights hold the transformed kernel, in panels for the
// forward product and transposed in panels for the input gradient.
//
// The transforms make NaN of infinities. A sample with outputs that are not finite is computed again by the
// plain convolution; its gradients are not.
class Conv2DWinograd final : public ActivatedLayer {
 public:
  Conv2DWinograd(const ActivationFunction& activation, const WindowAxis& h, const WindowAxis& w,
                 std::unique_ptr<Layer> plain)
      : ActivatedLayer(plain->input(), plain->output(), plain->parameters()[0],
                       plain->parameters().size() > 1, activation),
        plain_(std::move(plain)),
        channels_(input()[2]),
        down_((h.out + 1) / 2),
        across_((w.out + 1) / 2),
        block_(winograd_block(down_, across_)),
        frame_{h.in, w.in, channels_, h.before, w.before, 2 * down_ + 2, 2 * across_ + 2} {
    image_ = scratch_.place(frame_.is_image() ? 0 : frame_.size(), 1);
    v_ = scratch_.place(kWinogradElements, v_element());
    m_ = scratch_.place(kWinogradElements, m_element());
    du_ = scratch_.place(transform_size(), 1);
    total_ = scratch_.place(is_long() ? 2 * transform_size() : 0, 1);
    dx_ = scratch_.place(frame_.is_image() ? 0 : frame_.size(), 1);
    plain_scratch_ = scratch_.place(plain_->traits().scratch, 1);
    traits_.scratch = scratch_.size();
    traits_.work = down_ * across_ * kWinogradElements * channels_ * filters_;
    traits_.sums_by_chunk = true;
  }

  void prepare() override { plain_->prepare(); }

  void forward(const Chunk& c) const override {
    for (std::size_t s = 0; s < c.samples; ++s) {
      float *y = c.y + s * output_size(), *z = z_of(c, s);
      const float* image = framed(c, s);
      bool finite = true;
      for (std::size_t row = 0; row < down_; row += block_) {
        const std::size_t tiles = input_transform(c, image, row);
        float *v = c.scratch + v_, *m = c.scratch + m_;
        multiply(c.kernels,
                 {m, m_element(), filters_, v, v_element(), channels_, c.packed, tiles, c.gemm_scratch});
        for (std::size_t r = row; r < last(row); ++r)
          finite &= c.kernels.winograd_output(z + 2 * r * output_row(), m + (r - row) * across_ * filters_,
                                              m_element(), bias(c), tile_row(r));
      }
      if (!finite) {
        Chunk again = c;
        again.samples = 1, again.x = c.x + s * input_size(), again.y = z;
        again.scratch = c.scratch + plain_scratch_, again.saved = nullptr;
        plain_->forward(again);
      }
      activate(c, y, z, positions());
    }
  }

  void backward(const Chunk& c) const override {
    const float* const dz = activation_gradient(c);
    if (!c.gradient && !c.dx) return;
    float* const du = c.scratch + du_;
    auto* const total = reinterpret_cast<double*>(c.scratch + total_);
    if (is_long() && c.gradient) std::fill_n(total, transform_size(), 0.0);
    std::size_t summed = 0;  // tiles added to du
    for (std::size_t s = 0; s < c.samples; ++s) {
      const float *dy = dz + s * output_size(), *image = c.gradient ? framed(c, s) : nullptr;
      float *v = c.scratch + v_, *m = c.scratch + m_;
      float* dx = !c.dx ? nullptr : frame_.is_image() ? c.dx + s * input_size() : c.scratch + dx_;
      if (dx) std::fill_n(dx, frame_.size(), 0.0f);
      for (std::size_t row = 0; row < down_; row += block_) {
        const std::size_t tiles = (last(row) - row) * across_;
        for (std::size_t r = row; r < last(row); ++r)
          c.kernels.winograd_output_gradient(m + (r - row) * across_ * filters_, m_element(),
                                             dy + 2 * r * output_row(), tile_row(r));
        if (c.gradient) {
          input_transform(c, image, row);
          kernel_gradient(c, tiles, summed > 0);
          summed += tiles;
          if (is_long() && (summed >= kRunRows || last(row) == down_)) {
            c.kernels.add_wide(total, du, transform_size());
            summed = 0;
          }
        }
        if (!dx) continue;
        multiply(c.kernels, {v, v_element(), channels_, m, m_element(), filters_,
                             c.packed + kWinogradElements * u_element(c.kernels), tiles, c.gemm_scratch});
        for (std::size_t r = row; r < last(row); ++r)
          c.kernels.winograd_input_gradient(dx + 2 * r * frame_.row(), frame_.row(),
                                            v + (r - row) * across_ * channels_, v_element(), channels_,
                                            across_);
      }
      if (dx && !frame_.is_image()) frame_.crop(c.dx + s * input_size(), dx);
    }
    if (!c.gradient) return;
    for (std::size_t i = 0; is_long() && i < transform_size(); ++i) du[i] = static_cast<float>(total[i]);
    c.kernels.winograd_kernel_gradient(c.gradient, du, channels_, filters_);
    if (use_bias())
      c.kernels.column_sums(c.gradient + kernel_size(), dz, c.samples * positions(), filters_, filters_);
  }

  // A tile holds all taps of some filters, from which the transform of a kernel is computed.
  Shape tile_shape(std::size_t parameter) const override {
    constexpr std::size_t kFilters = 16;
    return {parameter == 1 ? 1 : kernel_size() / filters_, std::min(filters_, kFilters)};
  }

  std::size_t packed_size(const Kernels& k, bool for_dx) const override {
    return kWinogradElements * (u_element(k) + (for_dx ? transposed_element(k) : 0));
  }
  void pack(const Kernels& k, float* packed, const float* parameters, const Tile& t,
            Readers readers) const override {
    if (t.parameter == 1) return;
    k.winograd_kernel(packed, u_element(k), parameters, channels_, filters_, t.column, t.column + t.columns);
    if (!readers.dx) return;
    float* transposed = packed + kWinogradElements * u_element(k);
    for (std::size_t f = t.column, n = 0; f < t.column + t.columns; f += n) {
      n = std::min(k.panel - f % k.panel, t.column + t.columns - f);
      const float* u = packed + f / k.panel * channels_ * k.panel + f % k.panel;
      for (std::size_t e = 0; e < kWinogradElements; ++e)
        k.pack_transposed(transposed + e * transposed_element(k) + f * k.panel, filters_ * k.panel,
                          u + e * u_element(k), n, channels_, k.panel);
    }
  }

 private:
  std::size_t positions() const { return output()[0] * output()[1]; }
  std::size_t output_row() const { return output()[1] * filters_; }
  std::size_t transform_size() const { return kWinogradElements * channels_ * filters_; }
  // Whether a sample's tiles are a long sum. Chunks of several samples fit a cache: their sums are short.
  bool is_long() const { return down_ * across_ > kShortSum; }
  std::size_t last(std::size_t row) const { return std::min(row + block_, down_); }
  WinogradRow tile_row(std::size_t r) const {
    return {across_, std::min<std::size_t>(2, output()[0] - 2 * r), output()[1], filters_};
  }
  std::size_t v_element() const { return block_ * across_ * channels_; }
  std::size_t m_element() const { return block_ * across_ * filters_; }
  std::size_t u_element(const Kernels& k) const { return in_panels(k, channels_, filters_); }
  std::size_t transposed_element(const Kernels& k) const { return in_panels(k, filters_, channels_); }

  const float* framed(const Chunk& c, std::size_t sample) const {
    const float* x = c.x + sample * input_size();
    if (frame_.is_image()) return x;
    frame_.pad(c.scratch + image_, x);
    return c.scratch + image_;
  }
  // Writes v of the block of tile rows from `row` on. Returns the number of its tiles.
  std::size_t input_transform(const Chunk& c, const float* image, std::size_t row) const {
    for (std::size_t r = row; r < last(row); ++r)
      c.kernels.winograd_input(c.scratch + v_ + (r - row) * across_ * channels_, v_element(),
                               image + 2 * r * frame_.row(), frame_.row(), channels_, across_);
    return (last(row) - row) * across_;
  }
  // du [+]= v^T m
  void kernel_gradient(const Chunk& c, std::size_t tiles, bool accumulate) const {
    for (std::size_t e = 0; e < kWinogradElements; ++e)
      c.kernels.gemm({.c = {c.scratch + du_ + e * channels_ * filters_, filters_},
                      .a = {c.scratch + v_ + e * v_element(), 1, offset(channels_)},
                      .b = {c.scratch + m_ + e * m_element(), filters_, c.kernels.panel},
                      .size = {channels_, filters_, tiles},
                      .accumulate = accumulate,
                      .scratch = c.gemm_scratch});
  }

  std::unique_ptr<Layer> plain_;
  std::size_t channels_;
  std::size_t down_, across_, block_;  // tiles of a column and a row, rows of tiles in a block
  Frame frame_;
  Layout scratch_;  // of a worker, with these offsets:
  std::size_t image_, v_, m_, du_, total_, dx_, plain_scratch_;
};

}  // namespace

bool fits_winograd(const Spec& conv, const Shape& input, const Shape& output) {
  // With fewer channels the transforms cost more than they save. Larger kernels, transformed, and wider rows
  // of tiles do not fit the caches. A small image has few tiles for a large kernel.
  constexpr std::size_t kFewest = 32, kMostWeights = 32 * 1024, kFewestOutputs = 64, kMostColumns = 512;
  const auto is = [&](const char* name, std::size_t n) {
    return conv.positive_pair(name) == std::pair<std::size_t, std::size_t>{n, n};
  };
  return is("kernel_size", 3) && is("strides", 1) && is("dilation_rate", 1) && conv.positive("groups") == 1 &&
         input[2] >= kFewest && output[2] >= kFewest && input[2] * output[2] <= kMostWeights &&
         output[0] * output[1] >= kFewestOutputs && output[1] <= kMostColumns;
}

std::unique_ptr<Layer> make_conv2d_winograd(const ActivationFunction& activation, const WindowAxis& h,
                                            const WindowAxis& w, std::unique_ptr<Layer> plain) {
  return std::make_unique<Conv2DWinograd>(activation, h, w, std::move(plain));
}

}  // namespace nncore

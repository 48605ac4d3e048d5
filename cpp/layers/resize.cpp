#include "resize.hpp"

#include <algorithm>

#include "../runtime/memory.hpp"

namespace nncore {

std::vector<Tap> ResizedAxis::taps(bool bilinear) const {
  std::vector<Tap> taps;
  taps.reserve(out);
  const float scale = static_cast<float>(size) / static_cast<float>(out);
  for (std::size_t i = 0; i < out; ++i) {
    const float middle = (static_cast<float>(i) + 0.5f) * scale,
                at = bilinear ? std::max(0.0f, middle - 0.5f) : middle;
    const std::size_t low = std::min(static_cast<std::size_t>(at), size - 1),
                      high = bilinear ? std::min(low + 1, size - 1) : low;
    taps.push_back({static_cast<std::uint32_t>(start + low), static_cast<std::uint32_t>(start + high),
                    high > low ? at - static_cast<float>(low) : 0.0f});
  }
  return taps;
}

std::pair<ResizedAxis, ResizedAxis> middle_of(std::size_t h, std::size_t w, std::size_t out_h,
                                              std::size_t out_w) {
  const auto part = [](std::size_t size, std::size_t other, std::size_t out, std::size_t other_out) {
    const std::size_t wanted = other * out / other_out,
                      used = std::max<std::size_t>(1, std::min(size, wanted));
    return ResizedAxis{(size - used) / 2, used, out};
  };
  return {part(h, w, out_h, out_w), part(w, h, out_w, out_h)};
}

void Resizer::prepare() {
  if (!rows_.empty()) return;
  std::vector<Tap> rows = h_.taps(bilinear_);
  columns_ = w_.taps(bilinear_);
  rows_.swap(rows);
}

void Resizer::forward(float* y, const float* x, std::size_t in_w, float* scratch) const {
  const std::size_t row = in_w * channels_;
  for (const Tap& r : rows_) {
    const float *low = x + r.low * row, *high = x + r.high * row;
    for (std::size_t i = 0; r.weight != 0.0f && i < row; ++i)
      scratch[i] = low[i] + (high[i] - low[i]) * r.weight;
    const float* from = r.weight != 0.0f ? scratch : low;
    for (const Tap& t : columns_) {
      const float *a = from + t.low * channels_, *b = from + t.high * channels_;
      if (t.weight == 0.0f)
        std::copy_n(a, channels_, y);
      else
        for (std::size_t c = 0; c < channels_; ++c) y[c] = a[c] + (b[c] - a[c]) * t.weight;
      y += channels_;
    }
  }
}

void Resizer::backward(float* dx, const float* dy, std::size_t in_w, float* scratch) const {
  const std::size_t row = in_w * channels_;
  for (const Tap& r : rows_) {
    std::fill_n(scratch, row, 0.0f);
    for (const Tap& t : columns_) {
      float *a = scratch + t.low * channels_, *b = scratch + t.high * channels_;
      for (std::size_t c = 0; c < channels_; ++c) a[c] += dy[c] * (1.0f - t.weight);
      for (std::size_t c = 0; t.weight != 0.0f && c < channels_; ++c) b[c] += dy[c] * t.weight;
      dy += channels_;
    }
    float *low = dx + r.low * row, *high = dx + r.high * row;
    for (std::size_t i = 0; i < row; ++i) low[i] += scratch[i] * (1.0f - r.weight);
    for (std::size_t i = 0; r.weight != 0.0f && i < row; ++i) high[i] += scratch[i] * r.weight;
  }
}

namespace {

// An image in another size. If `frame` is larger than the image, it is the image and an edge of `fill`.
class Resize final : public Layer {
 public:
  Resize(const Shape& input, Shape output, Resizer resizer, const Frame& frame, float fill)
      : Layer(input, std::move(output)), resizer_(std::move(resizer)), frame_(frame), fill_(fill) {
    padded_ = frame_.is_image() ? 0 : aligned(frame_.size());
    traits_.scratch = padded_ + resizer_.scratch(frame_.w);
    traits_.work = 4 * (output_size() + input_size());
  }
  void prepare() override { resizer_.prepare(); }

  void forward(const Chunk& c) const override {
    for (std::size_t s = 0; s < c.samples; ++s) {
      const float* x = c.x + s * input_size();
      if (padded_) frame_.pad(c.scratch, x, fill_);
      resizer_.forward(c.y + s * output_size(), padded_ ? c.scratch : x, frame_.w, c.scratch + padded_);
    }
  }
  void save(const Chunk&) const override {}
  void backward(const Chunk& c) const override {
    for (std::size_t s = 0; s < c.samples && c.dx; ++s) {
      float *dx = c.dx + s * input_size(), *to = padded_ ? c.scratch : dx;
      std::fill_n(to, frame_.size(), 0.0f);
      resizer_.backward(to, c.dy + s * output_size(), frame_.w, c.scratch + padded_);
      if (padded_) frame_.crop(dx, to);
    }
  }

 private:
  Resizer resizer_;
  Frame frame_;
  float fill_;
  std::size_t padded_;
};

bool is_bilinear(const Spec& spec) {
  const std::string& interpolation = spec.text("interpolation");
  if (interpolation != "nearest" && interpolation != "bilinear")
    spec.fail("interpolation must be 'nearest' or 'bilinear', got '" + interpolation + "'");
  return interpolation == "bilinear";
}

}  // namespace

// size: how often height and width are repeated; one number for steps.
std::unique_ptr<Layer> make_up_sampling(const Spec& spec, const Shape& input) {
  const bool has_steps = spec.integers("size").size() == 1;
  const Shape image = image_of(spec, input, has_steps, 1);
  const auto [by_h, by_w] =
      has_steps ? std::pair(spec.positive_number("size"), std::size_t{1}) : spec.positive_pair("size");
  Shape output = {image[0] * by_h, image[1] * by_w, image[2]};
  const Resizer resizer({0, image[0], output[0]}, {0, image[1], output[1]}, image[2], is_bilinear(spec));
  if (has_steps) output.erase(output.begin() + 1);
  const Frame frame{image[0], image[1], image[2], 0, 0, image[0], image[1]};
  return std::make_unique<Resize>(input, std::move(output), resizer, frame, 0.0f);
}

// fit: "stretch", "crop" (the largest part in the middle with the new aspect ratio) or "pad" (the image in
// the middle of the smallest image with it)
std::unique_ptr<Layer> make_resizing(const Spec& spec, const Shape& input) {
  expect_image(spec, input);
  const std::size_t h = input[0], w = input[1], out_h = spec.positive("height"),
                    out_w = spec.positive("width");
  const std::string& fit = spec.text("fit");
  Frame frame{h, w, input[2], 0, 0, h, w};
  if (fit == "pad") {
    frame.top = (std::max(h, w * out_h / out_w) - h) / 2;
    frame.left = (std::max(w, h * out_w / out_h) - w) / 2;
    frame.h += 2 * frame.top, frame.w += 2 * frame.left;
  }
  const std::pair<ResizedAxis, ResizedAxis> axes =
      fit == "crop" ? middle_of(h, w, out_h, out_w)
                    : std::pair(ResizedAxis{0, frame.h, out_h}, ResizedAxis{0, frame.w, out_w});
  return std::make_unique<Resize>(input, Shape{out_h, out_w, input[2]},
                                  Resizer(axes.first, axes.second, input[2], is_bilinear(spec)), frame,
                                  spec.single("fill_value"));
}

// The middle of an image that is large enough; else the largest part with the new aspect ratio, resized.
std::unique_ptr<Layer> make_center_crop(const Spec& spec, const Shape& input) {
  expect_image(spec, input);
  const std::size_t h = input[0], w = input[1], out_h = spec.positive("height"),
                    out_w = spec.positive("width");
  const std::pair<ResizedAxis, ResizedAxis> axes =
      h >= out_h && w >= out_w
          ? std::pair(ResizedAxis{(h - out_h) / 2, out_h, out_h}, ResizedAxis{(w - out_w) / 2, out_w, out_w})
          : middle_of(h, w, out_h, out_w);
  return std::make_unique<Resize>(input, Shape{out_h, out_w, input[2]},
                                  Resizer(axes.first, axes.second, input[2], true),
                                  Frame{h, w, input[2], 0, 0, h, w}, 0.0f);
}

}  // namespace nncore

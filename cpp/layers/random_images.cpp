// Images that change at random in training. Each sample has numbers of its own, which depend on its place in
// the batch.
#include <algorithm>
#include <array>
#include <functional>

#include "../runtime/memory.hpp"
#include "draws.hpp"
#include "resize.hpp"
#include "sampler.hpp"

namespace nncore {
namespace {

class RandomImage : public Layer {
 public:
  RandomImage(const Spec& spec, const Shape& input) : Layer(input, input), draws_(spec) {
    traits_.is_view_at_inference = true;
  }
  void save(const Chunk&) const override {}

 protected:
  std::uint64_t key(const Chunk& c) const { return draws_.key(c); }

 private:
  Draws draws_;
};

class RandomAffine final : public RandomImage {
 public:
  using Draw = std::function<Affine(std::uint64_t key, std::size_t sample)>;

  RandomAffine(const Spec& spec, const Shape& input, const Sampler& sampler, Draw draw)
      : RandomImage(spec, input), sampler_(sampler), draw_(std::move(draw)) {
    constexpr std::size_t kWork = 16;
    traits_.work = kWork * input_size();
  }

  void forward(const Chunk& c) const override {
    for (std::size_t s = 0; s < c.samples; ++s)
      sampler_.forward(c.y + s * input_size(), c.x + s * input_size(), draw_(key(c), c.first + s));
  }
  void backward(const Chunk& c) const override {
    if (!c.dx) return;
    std::fill_n(c.dx, c.samples * input_size(), 0.0f);
    for (std::size_t s = 0; s < c.samples; ++s)
      sampler_.backward(c.dx + s * input_size(), c.dy + s * input_size(), draw_(key(c), c.first + s));
  }

 private:
  Sampler sampler_;
  Draw draw_;
};

// A part of the image at a place that all samples of a step share. Outside training, and for images that are
// not larger, the largest part in the middle with the new aspect ratio, resized.
class RandomCrop final : public Layer {
 public:
  RandomCrop(const Spec& spec, const Shape& input, Shape output)
      : Layer(input, std::move(output)),
        draws_(spec),
        is_larger_(input[0] > this->output()[0] && input[1] > this->output()[1]) {
    const auto [h, w] = middle_of(input[0], input[1], this->output()[0], this->output()[1]);
    resizer_ = Resizer(h, w, input[2], true);
    traits_.scratch = resizer_.scratch(input[1]);
  }
  void prepare() override { resizer_.prepare(); }

  void forward(const Chunk& c) const override {
    const Frame frame = frame_of(c);
    for (std::size_t s = 0; s < c.samples; ++s) {
      const float* x = c.x + s * input_size();
      float* y = c.y + s * output_size();
      crops(c) ? frame.crop(y, x) : resizer_.forward(y, x, input()[1], c.scratch);
    }
  }
  void save(const Chunk&) const override {}
  void backward(const Chunk& c) const override {
    const Frame frame = frame_of(c);
    for (std::size_t s = 0; s < c.samples && c.dx; ++s) {
      float* dx = c.dx + s * input_size();
      const float* dy = c.dy + s * output_size();
      if (crops(c)) {
        frame.pad(dx, dy);
      } else {
        std::fill_n(dx, input_size(), 0.0f);
        resizer_.backward(dx, dy, input()[1], c.scratch);
      }
    }
  }

 private:
  bool crops(const Chunk& c) const { return c.training && is_larger_; }
  Frame frame_of(const Chunk& c) const {
    if (!crops(c)) return {};
    const auto draw = [&](std::size_t axis) {
      const auto places = static_cast<double>(input()[axis] - output()[axis] + 1);
      return static_cast<std::size_t>(Draws::uniform(draws_.key(c), 0, axis, 0.0, places));
    };
    return {output()[0], output()[1], output()[2], draw(0), draw(1), input()[0], input()[1]};
  }

  Draws draws_;
  bool is_larger_;
  Resizer resizer_;
};

// y = (x - mean) * factor + mean + shift, between two bounds, with the mean of each channel of the image; or
// x + shift if only that is drawn.
class RandomColor final : public RandomImage {
 public:
  using Draw = std::function<std::array<float, 2>(std::uint64_t key, std::size_t sample)>;  // factor, shift

  RandomColor(const Spec& spec, const Shape& input, bool reads_mean, Draw draw)
      : RandomImage(spec, input), reads_mean_(reads_mean), draw_(std::move(draw)) {
    const std::vector<double> range = spec.numbers("value_range");
    if (range.size() != 2) spec.fail("value_range must be two numbers");
    low_ = static_cast<float>(range[0]), high_ = static_cast<float>(range[1]);
    traits_.scratch = 2 * aligned(channels()) + 2 * channels();
    traits_.work = 8 * input_size();
  }

  void forward(const Chunk& c) const override {
    for (std::size_t s = 0; s < c.samples; ++s) {
      const float *x = c.x + s * input_size(), *mean = means(c.scratch, c, x);
      const auto [factor, shift] = draw_(key(c), c.first + s);
      float* y = c.y + s * input_size();
      for (std::size_t i = 0; i < input_size(); ++i)
        y[i] = std::min(high_, std::max(low_, mapped(x[i], mean[i % channels()], factor, shift)));
    }
  }
  // Where a bound is reached the slope is 0. The gradient by the mean is that of 1 - factor for all pixels.
  void backward(const Chunk& c) const override {
    for (std::size_t s = 0; s < c.samples && c.dx; ++s) {
      const float *x = c.x + s * input_size(), *dy = c.dy + s * input_size();
      const float* const mean = means(c.scratch, c, x);
      const auto [factor, shift] = draw_(key(c), c.first + s);
      float* dx = c.dx + s * input_size();
      for (std::size_t i = 0; i < input_size(); ++i) {
        const float y = mapped(x[i], mean[i % channels()], factor, shift);
        dx[i] = y >= low_ && y <= high_ ? dy[i] : 0.0f;
      }
      if (!reads_mean_) continue;
      const float* const slope = means(c.scratch + aligned(channels()), c, dx);
      for (std::size_t i = 0; i < input_size(); ++i)
        dx[i] = dx[i] * factor + slope[i % channels()] * (1.0f - factor);
    }
  }

 private:
  std::size_t channels() const { return input()[2]; }
  static float mapped(float x, float mean, float factor, float shift) {
    return (x - mean) * factor + mean + shift;
  }
  // Writes the means of the channels to `to`; zeros if they are not read.
  const float* means(float* to, const Chunk& c, const float* x) const {
    std::fill_n(to, channels(), 0.0f);
    if (!reads_mean_) return to;
    auto* const sum = reinterpret_cast<double*>(c.scratch + 2 * aligned(channels()));
    std::fill_n(sum, channels(), 0.0);
    for (std::size_t i = 0; i < input_size(); i += channels()) c.kernels.add_wide(sum, x + i, channels());
    for (std::size_t i = 0; i < channels(); ++i)
      to[i] = static_cast<float>(sum[i] / static_cast<double>(input_size() / channels()));
    return to;
  }

  bool reads_mean_;
  float low_, high_;
  Draw draw_;
};

std::pair<double, double> range_of(const Spec& spec, const char* name) {
  const std::vector<double> range = spec.numbers(name);
  if (range.size() != 2) spec.fail(std::string(name) + " must be two numbers");
  return {range[0], range[1]};
}

// cos and sin of a part of a whole turn, by series: libraries differ in the last bit.
std::pair<double, double> turned(double turns) {
  const double quarters = std::floor(4.0 * turns + 0.5), angle = (turns - quarters / 4.0) * 6.283185307179586;
  double cosine = 1.0, sine = 0.0, term = 1.0;
  for (int n = 1; n < 20; ++n) {
    term *= angle / n;
    (n % 2 ? sine : cosine) += n % 4 < 2 ? term : -term;
  }
  switch (static_cast<int>(quarters) & 3) {
    case 1:
      return {-sine, cosine};
    case 2:
      return {-cosine, -sine};
    case 3:
      return {sine, -cosine};
    default:
      return {cosine, sine};
  }
}

// The map that leaves the middle of an image where it is.
Affine about_middle(const Shape& image, double a0, double a1, double b0, double b1) {
  const double x = static_cast<double>(image[1] - 1) / 2.0, y = static_cast<double>(image[0] - 1) / 2.0;
  const auto single = [](double value) { return static_cast<float>(value); };
  return {{single(a0), single(a1), single(x - x * a0 - y * a1)},
          {single(b0), single(b1), single(y - x * b0 - y * b1)}};
}

std::unique_ptr<Layer> make_sampled(const Spec& spec, const Shape& input, RandomAffine::Draw draw) {
  constexpr std::array kFills = {"constant", "nearest", "wrap", "reflect"};
  const auto fill = std::ranges::find(kFills, spec.text("fill_mode"));
  if (fill == kFills.end()) spec.fail("there is no fill_mode '" + spec.text("fill_mode") + "'");
  const Sampler sampler(input, spec.text("interpolation") == "bilinear",
                        static_cast<Fill>(fill - kFills.begin()), spec.single("fill_value"));
  return std::make_unique<RandomAffine>(spec, input, sampler, std::move(draw));
}

}  // namespace

// mode: "horizontal", "vertical" or both, which come together.
std::unique_ptr<Layer> make_random_flip(const Spec& spec, const Shape& input) {
  expect_image(spec, input);
  const bool across = spec.text("mode") != "vertical", down = spec.text("mode") != "horizontal";
  return std::make_unique<RandomAffine>(
      spec, input, Sampler(input, false, Fill::nearest, 0.0f), [=](std::uint64_t key, std::size_t sample) {
        const bool flips = Draws::uniform(key, sample, 0, 0.0, 1.0) <= 0.5;
        return about_middle(input, flips && across ? -1.0 : 1.0, 0.0, 0.0, flips && down ? -1.0 : 1.0);
      });
}

// factor: parts of a whole turn
std::unique_ptr<Layer> make_random_rotation(const Spec& spec, const Shape& input) {
  expect_image(spec, input);
  const auto [low, high] = range_of(spec, "factor");
  return make_sampled(spec, input, [input, low = low, high = high](std::uint64_t key, std::size_t sample) {
    const auto [cosine, sine] = turned(Draws::uniform(key, sample, 0, low, high));
    return about_middle(input, cosine, -sine, sine, cosine);
  });
}

// height_factor, width_factor: how much smaller the image becomes. Without the second, both are one number.
std::unique_ptr<Layer> make_random_zoom(const Spec& spec, const Shape& input) {
  expect_image(spec, input);
  const bool keeps_aspect = !spec.attributes.count("width_factor");
  const auto down = range_of(spec, "height_factor"),
             across = keeps_aspect ? down : range_of(spec, "width_factor");
  return make_sampled(spec, input, [=](std::uint64_t key, std::size_t sample) {
    return about_middle(input,
                        1.0 + Draws::uniform(key, sample, keeps_aspect ? 0 : 1, across.first, across.second),
                        0.0, 0.0, 1.0 + Draws::uniform(key, sample, 0, down.first, down.second));
  });
}

// height_factor, width_factor: parts of the size by which the image moves down and to the right
std::unique_ptr<Layer> make_random_translation(const Spec& spec, const Shape& input) {
  expect_image(spec, input);
  const auto down = range_of(spec, "height_factor"), across = range_of(spec, "width_factor");
  return make_sampled(spec, input, [=](std::uint64_t key, std::size_t sample) {
    const auto moved = [&](const std::pair<double, double>& range, std::size_t axis) {
      return static_cast<float>(-Draws::uniform(key, sample, axis, range.first, range.second) *
                                static_cast<double>(input[axis]));
    };
    return Affine{{1.0f, 0.0f, moved(across, 1)}, {0.0f, 1.0f, moved(down, 0)}};
  });
}

std::unique_ptr<Layer> make_random_crop(const Spec& spec, const Shape& input) {
  expect_image(spec, input);
  return std::make_unique<RandomCrop>(spec, input,
                                      Shape{spec.positive("height"), spec.positive("width"), input[2]});
}

std::unique_ptr<Layer> make_random_contrast(const Spec& spec, const Shape& input) {
  expect_image(spec, input);
  const auto [low, high] = range_of(spec, "factor");
  return std::make_unique<RandomColor>(
      spec, input, true, [low = low, high = high](std::uint64_t key, std::size_t sample) {
        return std::array{static_cast<float>(Draws::uniform(key, sample, 0, 1.0 - low, 1.0 + high)), 0.0f};
      });
}

std::unique_ptr<Layer> make_random_brightness(const Spec& spec, const Shape& input) {
  expect_image(spec, input);
  const auto [low, high] = range_of(spec, "factor");
  const auto [least, most] = range_of(spec, "value_range");
  return std::make_unique<RandomColor>(
      spec, input, false,
      [low = low, high = high, size = most - least](std::uint64_t key, std::size_t sample) {
        return std::array{1.0f, static_cast<float>(Draws::uniform(key, sample, 0, low, high) * size)};
      });
}

}  // namespace nncore

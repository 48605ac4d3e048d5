// Layers that change their input at random in training, and give it back outside.
#include <cmath>

#include "draws.hpp"

namespace nncore {
namespace {

class Noise : public Layer {
 public:
  Noise(const Spec& spec, const Shape& input, bool is_view) : Layer(input, input), draws_(spec) {
    traits_.is_view = is_view;
    traits_.is_view_at_inference = true;
  }
  void save(const Chunk&) const override {}

 protected:
  std::uint64_t key(const Chunk& c) const { return draws_.key(c); }
  std::size_t first(const Chunk& c) const { return c.first * input_size(); }
  std::size_t count(const Chunk& c) const { return c.samples * input_size(); }

 private:
  Draws draws_;
};

// y = x + deviation * g, or x * (1 + deviation * g), with g drawn from the standard normal distribution.
class Gaussian final : public Noise {
 public:
  Gaussian(const Spec& spec, const Shape& input, double deviation, bool scales)
      : Noise(spec, input, deviation == 0.0), deviation_(static_cast<float>(deviation)), scales_(scales) {
    constexpr std::size_t kWork = 16;
    traits_.work = kWork * input_size();
  }
  void forward(const Chunk& c) const override { apply(c, c.y, c.x); }
  void backward(const Chunk& c) const override {
    if (c.dx && scales_) return apply(c, c.dx, c.dy);
    if (c.dx) std::copy_n(c.dy, count(c), c.dx);
  }

 private:
  void apply(const Chunk& c, float* to, const float* from) const {
    c.kernels.noise(to, from, key(c), first(c), deviation_, scales_, count(c));
  }

  float deviation_;
  bool scales_;
};

// y = a * (kept ? x : low) + b, with low = -1.7581. a and b keep mean 0 and variance 1
// (Klambauer et al. 2017).
class AlphaDropout final : public Noise {
 public:
  AlphaDropout(const Spec& spec, const Shape& input, double rate)
      : Noise(spec, input, rate == 0.0), rate_(static_cast<float>(rate)) {
    constexpr double kLow = -1.7580993408473766;
    const double a = 1.0 / std::sqrt((1.0 - rate) * (1.0 + rate * kLow * kLow));
    shift_ = static_cast<float>(-kLow);
    scale_ = static_cast<float>(a * (1.0 - rate));
    offset_ = static_cast<float>(a * kLow * (1.0 - rate));
  }
  void forward(const Chunk& c) const override {
    c.kernels.rescale(c.y, c.x, 1.0f, shift_, count(c));
    apply(c, c.y, c.y, offset_);
  }
  void backward(const Chunk& c) const override {
    if (c.dx) apply(c, c.dx, c.dy, 0.0f);
  }

 private:
  void apply(const Chunk& c, float* to, const float* from, float offset) const {
    c.kernels.dropout(to, from, key(c), first(c), rate_, count(c));
    c.kernels.rescale(to, to, scale_, offset, count(c));
  }

  float rate_, shift_, scale_, offset_;
};

double rate_of(const Spec& spec) {
  const double rate = spec.number("rate");
  if (!(rate >= 0.0 && rate < 1.0)) spec.fail("rate must be in [0, 1), got " + std::to_string(rate));
  return rate;
}

}  // namespace

std::unique_ptr<Layer> make_gaussian_noise(const Spec& spec, const Shape& input) {
  const double deviation = spec.number("stddev");
  if (!(deviation >= 0.0)) spec.fail("stddev must be at least 0, got " + std::to_string(deviation));
  return std::make_unique<Gaussian>(spec, input, deviation, false);
}
std::unique_ptr<Layer> make_gaussian_dropout(const Spec& spec, const Shape& input) {
  const double rate = rate_of(spec);
  return std::make_unique<Gaussian>(spec, input, std::sqrt(rate / (1.0 - rate)), true);
}
std::unique_ptr<Layer> make_alpha_dropout(const Spec& spec, const Shape& input) {
  return std::make_unique<AlphaDropout>(spec, input, rate_of(spec));
}

}  // namespace nncore

#include <algorithm>

#include "../runtime/memory.hpp"
#include "broadcast.hpp"

namespace nncore {
namespace {

// y = x where x > 0, else alpha * x. alpha has the shape of a sample, with size 1 on shared axes.
class PReLU final : public Layer {
 public:
  PReLU(const Shape& input, Shape alpha, std::vector<bool> kept)
      : Layer(input, input), alpha_{"alpha", std::move(alpha)}, slopes_(input, std::move(kept)) {
    constexpr std::size_t kWork = 4;
    traits_ = {.work = kWork * input_size(), .scratch = 2 * slopes_.count(), .sums_by_chunk = true};
  }
  std::vector<Parameter> parameters() const override { return {alpha_}; }
  void prepare() override { slopes_.prepare(); }

  void forward(const Chunk& c) const override {
    const float* x = c.x;
    float* y = c.y;
    for (std::size_t row = 0; row < c.samples * slopes_.rows(); ++row)
      for (std::size_t i = 0; i < slopes_.columns(); ++i, ++x, ++y)
        *y = *x > 0.0f ? *x : *x * c.parameters[slopes_.at(i)];
  }
  void save(const Chunk&) const override {}
  void backward(const Chunk& c) const override {
    auto* const sum = reinterpret_cast<double*>(c.scratch);
    std::fill_n(sum, slopes_.count(), 0.0);
    std::size_t at = 0;
    for (std::size_t row = 0; row < c.samples * slopes_.rows(); ++row)
      for (std::size_t i = 0; i < slopes_.columns(); ++i, ++at) {
        const bool is_above = c.x[at] > 0.0f;
        const float dy = c.dy[at];
        if (!is_above) sum[slopes_.at(i)] += static_cast<double>(dy * c.x[at]);
        if (c.dx) c.dx[at] = is_above ? dy : dy * c.parameters[slopes_.at(i)];
      }
    for (std::size_t i = 0; c.gradient && i < slopes_.count(); ++i)
      c.gradient[i] = static_cast<float>(sum[i]);
  }
  Shape tile_shape(std::size_t) const override {
    constexpr std::size_t kFloats = 8192;
    return {std::max<std::size_t>(1, kFloats / alpha_.columns()), std::min(alpha_.columns(), kFloats)};
  }

 private:
  Parameter alpha_;
  Broadcast slopes_;
};

}  // namespace

std::unique_ptr<Layer> make_prelu(const Spec& spec, const Shape& input) {
  if (input.empty() || size_of(input) == 0)
    spec.fail("expected samples with one axis or more, none of them empty, got shape " + to_string(input));
  Shape alpha = input;
  std::vector<bool> kept(input.size(), true);
  for (const std::int64_t axis : spec.integers("shared_axes")) {
    const std::int64_t index = axis < 0 ? axis + offset(input.size()) : axis - 1;
    if (axis == 0 || index < 0 || index >= offset(input.size()))
      spec.fail("shared_axes must name axes behind the batch, got " + std::to_string(axis) +
                " for samples of shape " + to_string(input));
    alpha[static_cast<std::size_t>(index)] = 1;
    kept[static_cast<std::size_t>(index)] = false;
  }
  if (size_of(input) > UINT32_MAX) spec.fail("expected samples of less than 2^32 elements");
  return std::make_unique<PReLU>(input, std::move(alpha), std::move(kept));
}

}  // namespace nncore

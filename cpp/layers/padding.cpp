#include <algorithm>

#include "window.hpp"

namespace nncore {
namespace {

// Zeros around an image, or an image without its edges: each is the gradient of the other.
class Framed final : public Layer {
 public:
  Framed(const Shape& input, Shape output, const Frame& frame, bool pads)
      : Layer(input, std::move(output)), frame_(frame), pads_(pads) {}

  void forward(const Chunk& c) const override {
    for (std::size_t s = 0; s < c.samples; ++s) copy(pads_, c.y + s * output_size(), c.x + s * input_size());
  }
  void save(const Chunk&) const override {}
  void backward(const Chunk& c) const override {
    for (std::size_t s = 0; s < c.samples && c.dx; ++s)
      copy(!pads_, c.dx + s * input_size(), c.dy + s * output_size());
  }

 private:
  void copy(bool pads, float* to, const float* from) const {
    pads ? frame_.pad(to, from) : frame_.crop(to, from);
  }

  Frame frame_;
  bool pads_;
};

// sizes: the attribute with those of the edges: top, bottom, left, right; the first two alone for steps. If
// the second size of cropped steps is -n, n steps are kept.
std::unique_ptr<Layer> make_framed(const Spec& spec, const Shape& input, const char* sizes, bool pads) {
  std::vector<std::int64_t> edges = spec.integers(sizes);
  if (!pads && edges.size() == 2 && edges[1] < 0 && input.size() == 2)
    edges[1] = std::max<std::int64_t>(0, offset(input[0]) - edges[0] + edges[1]);
  constexpr std::int64_t kMost = 1 << 20;
  if ((edges.size() != 4 && edges.size() != 2) ||
      std::ranges::any_of(edges, [](std::int64_t edge) { return edge < 0 || edge > kMost; }))
    spec.fail(std::string(sizes) + " must be two or four numbers between 0 and " + std::to_string(kMost));
  const bool has_steps = edges.size() == 2;
  const Shape image = image_of(spec, input, has_steps, 1);
  std::size_t cut[4] = {};
  std::ranges::transform(edges, cut, [](std::int64_t edge) { return static_cast<std::size_t>(edge); });
  const std::size_t h = cut[0] + cut[1], w = cut[2] + cut[3];
  if (!pads && (h >= image[0] || w >= image[1]))
    spec.fail("cropping leaves nothing of samples of shape " + to_string(input));
  Shape other = {pads ? image[0] + h : image[0] - h, pads ? image[1] + w : image[1] - w, image[2]};
  const Shape &inner = pads ? image : other, &outer = pads ? other : image;
  const Frame frame{inner[0], inner[1], image[2], cut[0], cut[2], outer[0], outer[1]};
  if (has_steps) other.erase(other.begin() + 1);
  return std::make_unique<Framed>(input, std::move(other), frame, pads);
}

}  // namespace

std::unique_ptr<Layer> make_zero_padding(const Spec& spec, const Shape& input) {
  return make_framed(spec, input, "padding", true);
}
std::unique_ptr<Layer> make_cropping(const Spec& spec, const Shape& input) {
  return make_framed(spec, input, "cropping", false);
}

}  // namespace nncore

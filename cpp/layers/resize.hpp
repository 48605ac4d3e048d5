// Images of another size, by the nearest pixel or by bilinear interpolation.
#pragma once

#include "window.hpp"

namespace nncore {

// An output is a[low] + (a[high] - a[low]) * weight; the nearest pixel has a weight of 0.
struct Tap {
  std::uint32_t low, high;
  float weight;
};

// Output i of an axis lies at (i + 1/2) * size / out - 1/2 in the part [start, start + size) of its input.
struct ResizedAxis {
  std::size_t start, size, out;
  std::vector<Tap> taps(bool bilinear) const;
};

// Reads a part of an image (in_h, in_w, channels).
class Resizer {
 public:
  Resizer() = default;
  Resizer(const ResizedAxis& h, const ResizedAxis& w, std::size_t channels, bool bilinear)
      : h_(h), w_(w), channels_(channels), bilinear_(bilinear) {}

  void prepare();
  // Floats of scratch. in_w: width of the image that is read.
  std::size_t scratch(std::size_t in_w) const { return in_w * channels_; }
  void forward(float* y, const float* x, std::size_t in_w, float* scratch) const;
  // dx += the gradient
  void backward(float* dx, const float* dy, std::size_t in_w, float* scratch) const;

 private:
  ResizedAxis h_{}, w_{};
  std::size_t channels_ = 0;
  bool bilinear_ = false;
  std::vector<Tap> rows_, columns_;  // made by prepare
};

// The largest part of (h, w) in its middle with the aspect ratio of (out_h, out_w).
std::pair<ResizedAxis, ResizedAxis> middle_of(std::size_t h, std::size_t w, std::size_t out_h,
                                              std::size_t out_w);

}  // namespace nncore

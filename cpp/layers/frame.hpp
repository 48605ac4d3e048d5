// An image with zeros around it, as a convolution reads it.
#pragma once

#include <algorithm>
#include <cstddef>

namespace nncore {

struct Frame {
  std::size_t in_h, in_w, channels;  // of the image
  std::size_t top, left;             // where it begins
  std::size_t h, w;                  // with the zeros

  bool is_image() const { return h == in_h && w == in_w; }
  std::size_t size() const { return h * w * channels; }
  std::size_t row() const { return w * channels; }

  void pad(float* to, const float* image) const {
    std::fill_n(to, size(), 0.0f);
    for (std::size_t y = 0; y < in_h; ++y)
      std::copy_n(image + y * in_w * channels, in_w * channels, to + at(y));
  }
  void crop(float* image, const float* from) const {
    for (std::size_t y = 0; y < in_h; ++y)
      std::copy_n(from + at(y), in_w * channels, image + y * in_w * channels);
  }

 private:
  std::size_t at(std::size_t y) const { return ((top + y) * w + left) * channels; }
};

}  // namespace nncore

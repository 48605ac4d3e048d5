// Images sampled along an affine map.
#pragma once

#include <cmath>

#include "window.hpp"

namespace nncore {

// Pixel (x, y) of the output lies at (a[0] x + a[1] y + a[2], b[0] x + b[1] y + b[2]) in the input.
struct Affine {
  float a[3], b[3];
};

// What lies outside an image: a number, the nearest pixel, the image again, or the image mirrored at its
// edge.
enum class Fill { constant, nearest, wrap, reflect };

class Sampler {
 public:
  Sampler(const Shape& image, bool bilinear, Fill fill, float value)
      : h_(static_cast<int>(image[0])),
        w_(static_cast<int>(image[1])),
        channels_(image[2]),
        bilinear_(bilinear),
        fill_(fill),
        value_(value) {}

  void forward(float* y, const float* x, const Affine& map) const {
    for_each_pixel(map, [&](const Pixel* pixels, std::size_t count) {
      std::fill_n(y, channels_, 0.0f);
      for (std::size_t i = 0; i < count; ++i)
        for (std::size_t c = 0; c < channels_; ++c)
          y[c] += pixels[i].weight * (pixels[i].at < 0 ? value_ : x[pixels[i].at + offset(c)]);
      y += channels_;
    });
  }
  // dx += the gradient
  void backward(float* dx, const float* dy, const Affine& map) const {
    for_each_pixel(map, [&](const Pixel* pixels, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i)
        for (std::size_t c = 0; pixels[i].at >= 0 && c < channels_; ++c)
          dx[pixels[i].at + offset(c)] += pixels[i].weight * dy[c];
      dy += channels_;
    });
  }

 private:
  struct Pixel {
    std::ptrdiff_t at;  // of its first channel; -1 for `value_`
    float weight;
  };
  struct Neighbours {
    int index[2];  // inside the image, or -1
    float weight[2];
  };

  int inside(int i, int size) const {
    if (i >= 0 && i < size) return i;
    if (fill_ == Fill::constant) return -1;
    if (fill_ == Fill::nearest) return i < 0 ? 0 : size - 1;
    const int period = fill_ == Fill::wrap ? size : 2 * size, rest = ((i % period) + period) % period;
    return rest < size ? rest : period - 1 - rest;
  }
  // The nearest index, halves to even ones, or both neighbours.
  Neighbours neighbours(float at, int size) const {
    if (!bilinear_) return {{inside(static_cast<int>(std::nearbyint(at)), size), 0}, {1.0f, 0.0f}};
    int low = static_cast<int>(at);
    low -= static_cast<float>(low) > at;
    const float weight = at - static_cast<float>(low);
    return {{inside(low, size), inside(low + 1, size)}, {1.0f - weight, weight}};
  }
  // Calls body(pixels of the input, their number) for each pixel of the output.
  template <class Body>
  void for_each_pixel(const Affine& map, Body body) const {
    for (int y = 0; y < h_; ++y)
      for (int x = 0; x < w_; ++x) {
        const auto fx = static_cast<float>(x), fy = static_cast<float>(y);
        const Neighbours row = neighbours(map.b[1] * fy + map.b[0] * fx + map.b[2], h_),
                         column = neighbours(map.a[1] * fy + map.a[0] * fx + map.a[2], w_);
        Pixel pixels[4];
        std::size_t count = 0;
        for (int i = 0; i < 2; ++i)
          for (int j = 0; j < 2; ++j)
            if (const float weight = row.weight[i] * column.weight[j]; weight != 0.0f) {
              const bool is_outside = row.index[i] < 0 || column.index[j] < 0;
              const auto pixel = std::ptrdiff_t{row.index[i]} * w_ + column.index[j];
              pixels[count++] = {is_outside ? -1 : pixel * offset(channels_), weight};
            }
        body(pixels, count);
      }
  }

  int h_, w_;
  std::size_t channels_;
  bool bilinear_;
  Fill fill_;
  float value_;
};

}  // namespace nncore

// The windows of a convolution or pooling on an image: sizes of output and padding.
#pragma once

#include <algorithm>

#include "layer.hpp"

namespace nncore {

struct WindowAxis {
  std::size_t in, out, size, dilation, stride, before, after;  // before, after: padding

  std::size_t padded() const { return before + in + after; }
};

// "valid": no padding. "causal": all of it at the beginning, so that an output reads nothing behind its
// position. "same": out = ceil(in / stride), with the odd element of padding at the end, as in
// TensorFlow.
inline WindowAxis window_axis(const Spec& spec, const char* axis, std::size_t in, std::size_t size,
                              std::size_t dilation, std::size_t stride) {
  const std::string& padding = spec.text("padding");
  const std::size_t extent = (size - 1) * dilation + 1;
  if (padding == "same") {
    const std::size_t out = (in + stride - 1) / stride, span = (out - 1) * stride + extent;
    const std::size_t total = span > in ? span - in : 0;
    return {in, out, size, dilation, stride, total / 2, total - total / 2};
  }
  if (padding == "causal") return {in, (in - 1) / stride + 1, size, dilation, stride, extent - 1, 0};
  if (padding != "valid") spec.fail("padding must be 'valid', 'same' or 'causal', got '" + padding + "'");
  if (extent > in)
    spec.fail("the window of " + std::to_string(extent) + " does not fit into the " + axis + " of " +
              std::to_string(in) + "; use padding='same' or a smaller window");
  return {in, (in - extent) / stride + 1, size, dilation, stride, 0, 0};
}

// The axes (height, width) of a layer on images. size: the attribute that holds the size of the window.
inline std::pair<WindowAxis, WindowAxis> windows(const Spec& spec, const Shape& input, const char* size) {
  const auto [h, w] = spec.positive_pair(size);
  const auto [stride_h, stride_w] = spec.positive_pair("strides");
  const auto [dilation_h, dilation_w] = spec.attributes.count("dilation_rate")
                                            ? spec.positive_pair("dilation_rate")
                                            : std::pair<std::size_t, std::size_t>{1, 1};
  return {window_axis(spec, "height", input[0], h, dilation_h, stride_h),
          window_axis(spec, "width", input[1], w, dilation_w, stride_w)};
}

// An image and its padding, as a convolution reads it.
struct Frame {
  std::size_t in_h, in_w, channels;  // of the image
  std::size_t top, left;             // padding before the image
  std::size_t h, w;                  // padded

  bool is_image() const { return h == in_h && w == in_w; }
  std::size_t size() const { return h * w * channels; }
  std::size_t row() const { return w * channels; }

  void pad(float* to, const float* image, float fill = 0.0f) const {
    std::fill_n(to, size(), fill);
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

inline void expect_image(const Spec& spec, const Shape& input) {
  if (input.size() != 3)
    spec.fail("expected images of shape (height, width, channels), got samples of shape " + to_string(input));
  for (std::size_t d : input)
    if (d == 0) spec.fail("an axis of the input is empty: " + to_string(input));
}

// The shape of images, or of samples (steps, channels) as images whose height (axis 0) or
// width (axis 1) is 1.
inline Shape image_of(const Spec& spec, const Shape& input, bool of_steps, std::size_t axis) {
  if (of_steps && input.size() != 2)
    spec.fail("expected samples of shape (steps, channels), got shape " + to_string(input));
  Shape image = input;
  if (of_steps) image.insert(image.begin() + offset(axis), 1);
  expect_image(spec, image);
  return image;
}
// With the attribute `of_steps`, samples (steps, channels) are images of height 1.
inline Shape image_of(const Spec& spec, const Shape& input) {
  return image_of(spec, input, spec.attributes.count("of_steps") > 0, 0);
}
// The shape of an output or a kernel, without the height if samples have none.
inline Shape without_height(const Shape& input, Shape shape) {
  if (input.size() == 2) shape.erase(shape.begin());
  return shape;
}

}  // namespace nncore

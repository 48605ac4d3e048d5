// The shape of one sample.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace nncore {

using Shape = std::vector<std::size_t>;  // of one sample: no batch axis
constexpr std::size_t kOpen = 0;         // an input size that is not known before the data

inline std::size_t size_of(const Shape& shape) {
  std::size_t n = 1;
  for (std::size_t d : shape)
    if (__builtin_mul_overflow(n, d, &n)) throw std::invalid_argument("the shape has too many elements");
  return n;
}

inline std::string to_string(const Shape& shape) {
  std::string text;
  for (std::size_t d : shape) text += (text.empty() ? "" : ", ") + std::to_string(d);
  return "(" + text + (shape.size() == 1 ? ",)" : ")");
}

}  // namespace nncore

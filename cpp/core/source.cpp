#include "source.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace nncore {
namespace {

// IEEE 754 binary16.
float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = std::uint32_t{h & 0x8000u} << 16, exponent = (h >> 10) & 31u,
                      fraction = h & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent == 0) {
    const float value = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -value : value;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

struct Half {
  std::uint16_t bits;
  explicit operator float() const { return half_to_float(bits); }
};
struct Boolean {
  std::uint8_t byte;
  explicit operator float() const { return byte ? 1.0f : 0.0f; }
};

template <class T, bool Swapped>
void convert(float* to, const std::byte* from, std::ptrdiff_t stride, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i, from += stride) {
    std::array<std::byte, sizeof(T)> bytes;
    std::memcpy(bytes.data(), from, sizeof(T));
    if constexpr (Swapped) std::reverse(bytes.begin(), bytes.end());
    to[i] = static_cast<float>(std::bit_cast<T>(bytes));
  }
}

// Contiguous elements have a constant stride, so the compiler vectorizes their loop.
template <class T>
void convert_native(float* to, const std::byte* from, std::ptrdiff_t stride, std::size_t n) {
  if (stride != sizeof(T)) return convert<T, false>(to, from, stride, n);
  convert<T, false>(to, from, sizeof(T), n);
}

struct Type {
  char kind;
  std::size_t item;
  void (*native)(float*, const std::byte*, std::ptrdiff_t, std::size_t);
  void (*swapped)(float*, const std::byte*, std::ptrdiff_t, std::size_t);
};

template <class T>
constexpr Type type(char kind) {
  return {kind, sizeof(T), convert_native<T>, convert<T, true>};
}

constexpr std::array kTypes = {
    type<float>('f'),         type<double>('f'),        type<Half>('f'),          type<std::uint8_t>('u'),
    type<std::uint16_t>('u'), type<std::uint32_t>('u'), type<std::uint64_t>('u'), type<std::int8_t>('i'),
    type<std::int16_t>('i'),  type<std::int32_t>('i'),  type<std::int64_t>('i'),  type<Boolean>('b'),
};

}  // namespace

Source::Source(const void* data, char kind, std::size_t item, bool swapped,
               const std::vector<std::size_t>& shape, const std::vector<std::ptrdiff_t>& strides)
    : data_(static_cast<const std::byte*>(data)) {
  const auto found =
      std::ranges::find_if(kTypes, [&](const Type& t) { return t.kind == kind && t.item == item; });
  if (found == kTypes.end())
    throw std::invalid_argument(std::string("arrays of type '") + kind + std::to_string(item) +
                                "' cannot be read");
  if (shape.empty()) throw std::invalid_argument("expected an array with an axis of samples, got a scalar");
  convert_ = swapped && item > 1 ? found->swapped : found->native;
  rows_ = shape[0];
  row_stride_ = strides[0];
  row_shape_.assign(shape.begin() + 1, shape.end());
  row_size_ = size_of(row_shape_);
  for (std::size_t axis = 1; axis < shape.size(); ++axis) {
    if (shape[axis] == 1) continue;
    const bool is_contiguous =
        !extents_.empty() && strides_.back() == strides[axis] * static_cast<std::ptrdiff_t>(shape[axis]);
    if (is_contiguous) {
      extents_.back() *= shape[axis];
      strides_.back() = strides[axis];
    } else {
      extents_.push_back(shape[axis]);
      strides_.push_back(strides[axis]);
    }
  }
  if (extents_.empty()) {
    extents_.push_back(1);
    strides_.push_back(static_cast<std::ptrdiff_t>(item));
  }
}

Source::Source(const float* data, std::size_t rows, const Shape& row)
    : data_(reinterpret_cast<const std::byte*>(data)),
      convert_(type<float>('f').native),
      rows_(rows),
      row_size_(size_of(row)),
      row_stride_(static_cast<std::ptrdiff_t>(row_size_ * sizeof(float))),
      row_shape_(row),
      extents_{row_size_},
      strides_{sizeof(float)} {}

void Source::read(float* to, const std::int64_t* order, std::size_t start, std::size_t count) const {
  if (row_size_ == 0) return;
  const auto row = [&](std::int64_t number) { return data_ + number * row_stride_; };
  const auto first = static_cast<std::int64_t>(start);
  const bool rows_are_contiguous =
      extents_.size() == 1 && row_stride_ == strides_[0] * static_cast<std::ptrdiff_t>(extents_[0]);
  if (!order && rows_are_contiguous) return convert_(to, row(first), strides_[0], count * row_size_);
  for (std::size_t i = 0; i < count; ++i)
    to = read_axis(to, row(order ? order[start + i] : first + static_cast<std::int64_t>(i)), 0);
}

float* Source::read_axis(float* to, const std::byte* from, std::size_t axis) const {
  if (axis + 1 == extents_.size()) {
    convert_(to, from, strides_[axis], extents_[axis]);
    return to + extents_[axis];
  }
  for (std::size_t i = 0; i < extents_[axis]; ++i, from += strides_[axis]) to = read_axis(to, from, axis + 1);
  return to;
}

}  // namespace nncore

// Aligned float memory, and the layout of arrays in it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "../core/slack.hpp"

namespace nncore {

constexpr std::size_t kAlignment = 64;

// `floats` rounded up so that the next array starts on a cache line.
constexpr std::size_t aligned(std::size_t floats) {
  constexpr std::size_t line = kAlignment / sizeof(float);
  return (floats + line - 1) / line * line;
}

// A small part of the address space, so that sums of a few such sizes do not overflow.
constexpr std::size_t kMostFloats = PTRDIFF_MAX / sizeof(float) / 16;

class OutOfMemory : public std::bad_alloc {
 public:
  explicit OutOfMemory(std::size_t bytes) {
    const double gigabytes = static_cast<double>(bytes) / 1e9;
    std::snprintf(text_, sizeof text_,
                  "not enough memory for a network and batch of this size: %.3g GB more needed", gigabytes);
  }
  OutOfMemory() : OutOfMemory(SIZE_MAX) {}
  const char* what() const noexcept override { return text_; }

 private:
  char text_[112];
};

// Returns count * each. Throws OutOfMemory if that is more than kMostFloats.
inline std::size_t checked_floats(std::size_t count, std::size_t each) {
  std::size_t n = 0;
  if (__builtin_mul_overflow(count, each, &n) || n > kMostFloats) throw OutOfMemory();
  return n;
}

// Offsets of arrays that lie one after the other in a buffer.
class Layout {
 public:
  // Reserves count * each floats and returns their offset.
  std::size_t place(std::size_t count, std::size_t each) {
    const std::size_t start = size_;
    size_ = checked_floats(1, size_ + aligned(checked_floats(count, each)));
    return start;
  }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
};

struct FreeFloats {
  void operator()(float* p) const { std::free(p); }
};
using FloatMemory = std::unique_ptr<float[], FreeFloats>;

// Requests huge pages, which cause fewer page faults and TLB misses, if at least two fit.
inline void advise_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) {
#if defined(MADV_HUGEPAGE)
  constexpr std::uintptr_t kPage = std::uintptr_t{2} << 20;
  const auto start = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t first = (start + kPage - 1) / kPage * kPage, last = (start + bytes) / kPage * kPage;
  if (first + kPage < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

// Uninitialised memory for `size` floats and kSlack more, which may be read.
inline FloatMemory allocate_floats(std::size_t size, std::size_t alignment = kAlignment) {
  const std::size_t bytes = (checked_floats(1, size) + kSlack) * sizeof(float);
  FloatMemory memory(
      static_cast<float*>(std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)));
  if (!memory) throw OutOfMemory(bytes);
  advise_huge_pages(memory.get(), bytes);
  return memory;
}

// Memory that grows and never shrinks.
class Buffer {
  static constexpr std::size_t kSmall = 8 * 1024;  // floats

 public:
  Buffer() = default;
  explicit Buffer(std::size_t size) { grow(size); }

  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

  // Makes room for `size` floats and kSlack more. Growing discards the contents; the new memory is zero.
  void grow(std::size_t size) {
    if (data_ && size <= size_) return;
    allocate(size);
    std::fill_n(data_.get(), size + kSlack, 0.0f);
  }
  // As grow, but large memory is not initialised, since pages that are never written take no memory. Small
  // memory is zero: kernels compute with the gaps between arrays and ignore the results, and data that the
  // heap leaves there, such as halves of pointers, are subnormal floats, which are slow.
  void reserve(std::size_t size) {
    if (data_ && size <= size_) return;
    allocate(size);
    if (size <= kSmall) std::fill_n(data_.get(), size + kSlack, 0.0f);
  }
  void zero() { std::fill_n(data_.get(), size_, 0.0f); }

 private:
  [[gnu::noinline]] void allocate(std::size_t size) {
    data_.reset();
    size_ = 0;
    data_ = allocate_floats(size);
    size_ = size;
  }

  FloatMemory data_;
  std::size_t size_ = 0;
};

}  // namespace nncore

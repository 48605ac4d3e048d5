// Pooling of one sample, channels last. Vectors run over channels.
#pragma once

#include "kernels.hpp"
#include "math.hpp"
#include "simd.hpp"

namespace nncore::NNCORE_ISA {
namespace {

// Fewer channels than this are computed one at a time: most lanes of a vector would be unused.
constexpr std::size_t kFewChannels = 4;
using vec1 = float __attribute__((vector_size(sizeof(float))));

inline vec load_as(vec, const float* p, std::size_t lanes) { return load(p, lanes); }
inline vec1 load_as(vec1, const float* p, std::size_t) { return vec1{*p}; }
inline void store(float* p, vec1 x, std::size_t) { *p = x[0]; }

// Calls body(channel, lanes, T{}), with T = vec or vec1 as the type to work in.
template <class Body>
inline void for_each_channel(std::size_t channels, Body body) {
  if (channels < kFewChannels) {
    for (std::size_t c = 0; c < channels; ++c) body(c, 1, vec1{});
  } else {
    for_each_vector(channels, [&](std::size_t c, std::size_t lanes) { body(c, lanes, vec{}); });
  }
}

// The part of a pooling window that lies inside the image: rows [y0, y1), columns [x0, x1).
struct Window {
  std::size_t y0, y1, x0, x1;
  float area() const { return static_cast<float>((y1 - y0) * (x1 - x0)); }
};

// [first, last) = [start, start + size) - pad, clipped to [0, end).
inline void clip_window(std::size_t& first, std::size_t& last, std::size_t start, std::size_t size,
                        std::size_t pad, std::size_t end) {
  last = start + size > pad ? start + size - pad : 0;
  if (last > end) last = end;
  first = start > pad ? start - pad : 0;
  if (first > last) first = last;
}

// Calls body(output, window), with the index in y of the first channel of the window's output.
template <class Body>
inline void for_each_window(const Pool2D& p, Body body) {
  std::size_t output = 0;
  for (std::size_t oy = 0; oy < p.out_h; ++oy) {
    Window w;
    clip_window(w.y0, w.y1, oy * p.stride_h, p.pool_h, p.pad_top, p.in_h);
    for (std::size_t ox = 0; ox < p.out_w; ++ox, output += p.channels) {
      clip_window(w.x0, w.x1, ox * p.stride_w, p.pool_w, p.pad_left, p.in_w);
      body(output, w);
    }
  }
}

// Calls body(index in x) for the inputs of one channel in a window, in row-major order.
template <class Body>
inline void for_each_input(const Pool2D& p, const Window& w, std::size_t channel, Body body) {
  for (std::size_t y = w.y0; y < w.y1; ++y) {
    std::size_t at = (y * p.in_w + w.x0) * p.channels + channel;
    for (std::size_t x = w.x0; x < w.x1; ++x, at += p.channels) body(at);
  }
}

inline void clear(float* x, std::size_t n) {
  for_each_vector(n, [&](std::size_t i, std::size_t lanes) { store(x + i, vec{}, lanes); });
}

inline void max_pool2d(float* y, const float* x, const Pool2D& p) {
  for_each_window(p, [&](std::size_t output, const Window& w) {
    for_each_channel(p.channels, [&](std::size_t c, std::size_t lanes, auto type) {
      auto best = type - kInfinity;
      for_each_input(p, w, c, [&](std::size_t at) {
        const auto v = load_as(type, x + at, lanes);
        best = (best >= v) | (best != best) ? best : v;
      });
      store(y + output + c, best, lanes);
    });
  });
}

inline void max_pool2d_backward(float* dx, const float* dy, const float* x, const float* y, const Pool2D& p) {
  clear(dx, p.in_h * p.in_w * p.channels);
  for_each_window(p, [&](std::size_t output, const Window& w) {
    for_each_channel(p.channels, [&](std::size_t c, std::size_t lanes, auto type) {
      const auto d = load_as(type, dy + output + c, lanes);
      const auto best = load_as(type, y + output + c, lanes);
      auto open = type == type;  // lanes whose maximum has not been found yet
      for_each_input(p, w, c, [&](std::size_t at) {
        const auto v = load_as(type, x + at, lanes);
        const auto hit = open & ((v == best) | ((v != v) & (best != best)));
        store(dx + at, load_as(type, dx + at, lanes) + (hit ? d : type), lanes);
        open &= ~hit;
      });
    });
  });
}

// The sum over a window in order; of more than `most` inputs, of two halves. Inlining adds 30 KB of code.
template <class T>
[[gnu::noinline]] T window_sum(const float* x, const Pool2D& p, const Window& w, std::size_t channel,
                               std::size_t lanes, std::size_t most) {
  const std::size_t rows = w.y1 - w.y0, columns = w.x1 - w.x0;
  if (rows * columns > most) {
    Window first = w, second = w;
    if (rows > 1)
      first.y1 = second.y0 = w.y0 + rows / 2;
    else
      first.x1 = second.x0 = w.x0 + columns / 2;
    return window_sum<T>(x, p, first, channel, lanes, kRunRows) +
           window_sum<T>(x, p, second, channel, lanes, kRunRows);
  }
  T sum{};
  for_each_input(p, w, channel, [&](std::size_t at) { sum += load_as(T{}, x + at, lanes); });
  return sum;
}

inline void average_pool2d(float* y, const float* x, const Pool2D& p) {
  for_each_window(p, [&](std::size_t output, const Window& w) {
    const float area = w.area();
    for_each_channel(p.channels, [&](std::size_t c, std::size_t lanes, auto type) {
      store(y + output + c, window_sum<decltype(type)>(x, p, w, c, lanes, kShortSum) / area, lanes);
    });
  });
}

inline void average_pool2d_backward(float* dx, const float* dy, const Pool2D& p) {
  clear(dx, p.in_h * p.in_w * p.channels);
  for_each_window(p, [&](std::size_t output, const Window& w) {
    const float area = w.area();
    for_each_channel(p.channels, [&](std::size_t c, std::size_t lanes, auto type) {
      const auto d = load_as(type, dy + output + c, lanes) / area;
      for_each_input(p, w, c,
                     [&](std::size_t at) { store(dx + at, load_as(type, dx + at, lanes) + d, lanes); });
    });
  });
}

}  // namespace
}  // namespace nncore::NNCORE_ISA

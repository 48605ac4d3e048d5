// Conv2D with a 3 x 3 kernel by Winograd's minimal filtering, where that is faster than the plain sums.
#pragma once

#include "activation.hpp"
#include "window.hpp"

namespace nncore {

bool fits_winograd(const Spec& conv, const Shape& input, const Shape& output);

// Rows of tiles in a block: some 48 tiles, whose transforms stay in the second-level cache.
inline std::size_t winograd_block(std::size_t down, std::size_t across) {
  constexpr std::size_t kTiles = 48;
  return std::clamp<std::size_t>(kTiles / across, 1, down);
}

// The products of the 16 elements: to (tiles, to_n) = from (tiles, from_n) @ u (from_n, to_n), u in panels.
struct WinogradProduct {
  float* to;
  std::size_t to_element, to_n;
  const float* from;
  std::size_t from_element, from_n;
  const float* u;
  std::size_t tiles;
  float* scratch;  // Kernels::gemm_scratch floats
};
inline void multiply(const Kernels& k, const WinogradProduct& p) {
  for (std::size_t e = 0; e < kWinogradElements; ++e)
    k.gemm({.c = {p.to + e * p.to_element, p.to_n},
            .a = {p.from + e * p.from_element, offset(p.from_n)},
            .b = {p.u + e * in_panels(k, p.from_n, p.to_n), k.panel, p.from_n * k.panel},
            .size = {p.tiles, p.to_n, p.from_n},
            .scratch = p.scratch});
}

// plain: the same convolution without activation, for samples whose outputs are not all finite.
std::unique_ptr<Layer> make_conv2d_winograd(const ActivationFunction& activation, const WindowAxis& h,
                                            const WindowAxis& w, std::unique_ptr<Layer> plain);

}  // namespace nncore

#include "parameters.hpp"

#include <algorithm>

namespace nncore {

std::vector<ParameterTile> tiles_of(const Layer& layer) {
  std::vector<ParameterTile> tiles;
  const auto parameters = layer.parameters();
  std::size_t start = 0;
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const std::size_t rows = parameters[p].rows(), columns = parameters[p].columns();
    const Shape tile = layer.tile_shape(p);
    for (std::size_t r = 0; r < rows; r += tile[0])
      for (std::size_t c = 0; c < columns; c += tile[1])
        tiles.push_back(
            {{p, r, std::min(tile[0], rows - r), c, std::min(tile[1], columns - c)}, start, columns});
    start += size_of(parameters[p].shape);
  }
  return tiles;
}

void transpose(float* to, std::size_t to_row, const float* from, std::size_t from_row, std::size_t rows,
               std::size_t columns) {
  constexpr std::size_t kBlock = 16;  // of rows: what is written to one row of `to` is a cache line
  for (std::size_t first = 0; first < rows; first += kBlock, to += kBlock, from += kBlock * from_row) {
    const std::size_t count = std::min(kBlock, rows - first);
    for (std::size_t c = 0; c < columns; ++c)
      for (std::size_t r = 0; r < count; ++r) to[c * to_row + r] = from[r * from_row + c];
  }
}

}  // namespace nncore

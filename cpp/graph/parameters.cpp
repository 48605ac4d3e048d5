#include "parameters.hpp"

#include <algorithm>

namespace nncore {

namespace {

// The starts of pieces of n, each of at most `most`, and the end. Pieces are whole panels of about equal
// size. Their number is even if there are enough panels, so that threads get equal shares.
std::vector<std::size_t> cut(std::size_t n, std::size_t most) {
  const std::size_t unit = most % kPanels == 0 ? kPanels : most, units = (n + unit - 1) / unit;
  std::size_t pieces = (n + most - 1) / most;
  const std::size_t share = pieces > 4 ? 4 : 2;
  if (pieces > 1) pieces = std::min((pieces + share - 1) / share * share, units);
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < pieces; ++i) starts.push_back(units * i / pieces * unit);
  starts.push_back(n);
  return starts;
}

}  // namespace

std::vector<ParameterTile> tiles_of(const Layer& layer, bool whole) {
  std::vector<ParameterTile> tiles;
  const auto parameters = layer.parameters();
  std::size_t start = 0;
  for (std::size_t p = 0; p < parameters.size() && !parameters[p].is_state; ++p) {
    const std::size_t rows = parameters[p].rows(), columns = parameters[p].columns();
    const Shape tile = whole ? Shape{rows, columns} : layer.tile_shape(p);
    const std::vector<std::size_t> down = cut(rows, tile[0]), across = cut(columns, tile[1]);
    for (std::size_t r = 0; r + 1 < down.size(); ++r)
      for (std::size_t c = 0; c + 1 < across.size(); ++c)
        tiles.push_back(
            {{p, down[r], down[r + 1] - down[r], across[c], across[c + 1] - across[c]}, start, columns});
    start += size_of(parameters[p].shape);
  }
  return tiles;
}

void transpose(float* to, std::size_t to_row, const float* from, std::size_t from_row, std::size_t rows,
               std::size_t columns) {
  constexpr std::size_t kBlock = 16;  // rows: a block writes one cache line of each row of `to`
  for (std::size_t first = 0; first < rows; first += kBlock, to += kBlock, from += kBlock * from_row) {
    const std::size_t count = std::min(kBlock, rows - first);
    for (std::size_t c = 0; c < columns; ++c)
      for (std::size_t r = 0; r < count; ++r) to[c * to_row + r] = from[r * from_row + c];
  }
}

}  // namespace nncore

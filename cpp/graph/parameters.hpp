// Tiles of parameters, and transposition.
#pragma once

#include <vector>

#include "../layers/layer.hpp"

namespace nncore {

struct ParameterTile {
  Tile tile;
  std::size_t start;       // offset of the parameter in the layer's parameters
  std::size_t row_length;  // columns of the parameter, as stored

  std::size_t at() const { return start + tile.row * row_length + tile.column; }  // its first element
  std::size_t floats() const { return tile.rows * tile.columns; }
};
// The tiles of the trainable parameters. whole: one tile for each parameter.
std::vector<ParameterTile> tiles_of(const Layer& layer, bool whole = false);

// Calls body(from, to, count) for each contiguous run of a tile: `from` is its offset in the layer's
// parameters, `to` its offset in memory whose rows are `row` floats apart.
template <class Body>
void for_each_run(const ParameterTile& t, std::size_t row, Body body) {
  if (t.tile.columns == t.row_length && row == t.row_length) return body(t.at(), 0, t.floats());
  for (std::size_t r = 0; r < t.tile.rows; ++r) body(t.at() + r * t.row_length, r * row, t.tile.columns);
}

// to (columns, rows) from (rows, columns). to_row, from_row: floats from one row to the next.
void transpose(float* to, std::size_t to_row, const float* from, std::size_t from_row, std::size_t rows,
               std::size_t columns);

}  // namespace nncore

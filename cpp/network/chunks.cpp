#include "chunks.hpp"

namespace nncore {
namespace {

constexpr std::size_t up(std::size_t n, std::size_t divisor) {  // n / divisor, rounded up
  return (n + divisor - 1) / divisor;
}

}  // namespace

Cut::Cut(std::size_t rows, const RowCost& row) : rows_(rows) {
  // About what the first-level cache holds, but not so little that reading the parameters again for each
  // chunk takes longer than the products.
  constexpr std::size_t kChunkFloats = 16 * 1024, kReuse = 24;
  const std::size_t in_cache = kChunkFloats / std::max<std::size_t>(1, row.floats);
  const std::size_t reused = up(kReuse * row.parameters, std::max<std::size_t>(1, row.work));
  size_ = std::max({std::size_t{1}, in_cache, reused});
  // A multiple of the rows in every kernel's tile.
  constexpr std::size_t kTileRows = 24;
  const std::size_t step = size_ >= kTileRows ? kTileRows : 1;
  size_ = up(size_, step) * step;

  const std::size_t near_end = up(kSlack, row.least);
  copied_from_ = rows > near_end ? (rows - near_end) / step * step : 0;
  in_place_ = up(copied_from_, size_);
  const bool shared = in_place_ > 0 || row.parameters > 0;
  threads_ = shared && rows * row.work >= kTeamWork ? get_num_threads() : 1;
}

std::size_t Cut::largest() const { return std::max(std::min(size_, copied_from_), rows_ - copied_from_); }

Readable::Readable(const float* data, const Cut& cut, std::size_t size)
    : data_(data), size_(size), copied_from_(cut.copied_from()) {
  const std::size_t floats = (cut.rows() - copied_from_) * size;
  copy_ = borrow_floats(floats);
  std::copy_n(data + copied_from_ * size, floats, copy_.get());
}

}  // namespace nncore

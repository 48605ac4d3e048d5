#include "chunks.hpp"

#include <numeric>

namespace nncore {
namespace {

constexpr std::size_t up(std::size_t n, std::size_t divisor) {  // n / divisor, rounded up
  return (n + divisor - 1) / divisor;
}

}  // namespace

Cut::Cut(std::size_t rows, const RowCost& row) : rows_(rows) {
  // About what the first-level cache holds, but not so little that reading the parameters again for each
  // chunk takes longer than the products.
  constexpr std::size_t kChunkFloats = 16 * 1024, kReuse = 64;
  const std::size_t in_cache = kChunkFloats / std::max<std::size_t>(1, row.floats);
  const std::size_t reused = up(kReuse * row.parameters, std::max<std::size_t>(1, row.work));
  std::size_t chunks = up(rows, std::max({std::size_t{1}, in_cache, reused}));
  // Even shares for two and four threads, which start on a line of the cache.
  if (chunks > 1) chunks = chunks > 4 ? up(chunks, 4) * 4 : up(chunks, 2) * 2;
  constexpr std::size_t kLine = 16;
  const std::size_t step = kLine / std::gcd(kLine, row.past_end);
  size_ = up(up(rows, std::max<std::size_t>(1, chunks)), step) * step;

  const std::size_t near_end = row.past_end ? up(kSlack, row.past_end) : 0;
  copied_from_ = rows > near_end ? (rows - near_end) / step * step : 0;
  in_place_ = copied_from_ > 0 ? up(copied_from_, size_) : 0;
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

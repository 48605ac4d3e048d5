#include <algorithm>
#include <array>
#include <iomanip>
#include <numeric>

#include "long_sum.hpp"

namespace nncore {
namespace {

// y = the rows of the table `embeddings` (input_dim, output_dim) that the numbers in x name.
//
// The gradient of a row is the sum of dy where x names it, in the order of the batch. The saved activations
// are two lists of positions in x, of 32-bit integers: the positions sorted by row, and room for sorting.
class Embedding final : public Layer {
 public:
  Embedding(const Spec& spec, const Shape& input, Shape output, std::size_t rows)
      : Layer(input, std::move(output)),
        name_(spec.text("name")),
        rows_(rows),
        columns_(this->output().back()) {
    traits_.saved = 2 * input_size();
  }

  std::vector<Parameter> parameters() const override { return {{"embeddings", {rows_, columns_}}}; }

  void forward(const Chunk& c) const override {
    for (std::size_t i = 0; i < c.samples * input_size(); ++i) {
      const std::size_t row = row_of(c.x[i]);
      if (static_cast<float>(row) != c.x[i] && c.refusals) refuse(c, i);
      std::copy_n(c.parameters + row * columns_, columns_, c.y + i * columns_);
    }
  }
  void backward(const Chunk& c) const override {
    if (c.dx) std::fill_n(c.dx, c.samples * input_size(), 0.0f);
  }

  // Sorts by one byte of the row's number after the other, the lowest first.
  void before_gradient(std::size_t samples, const float* x, float* saved) const override {
    auto *from = reinterpret_cast<std::uint32_t*>(saved), *to = from + samples * input_size();
    const std::size_t n = samples * input_size();
    std::iota(from, from + n, 0u);
    for (std::size_t shift = 0; shift < bits(); shift += 8, std::swap(from, to)) {
      const auto digit = [&](std::uint32_t i) { return row_of(x[i]) >> shift & 255; };
      std::array<std::size_t, 257> at{};
      for (std::size_t i = 0; i < n; ++i) ++at[digit(from[i]) + 1];
      std::partial_sum(at.begin(), at.end(), at.begin());
      for (std::size_t i = 0; i < n; ++i) to[at[digit(from[i])]++] = from[i];
    }
  }

  Shape tile_shape(std::size_t) const override {
    constexpr std::size_t kFloats = 8192, kColumns = 512;
    const std::size_t columns = std::min(columns_, kColumns);
    return {std::max<std::size_t>(1, kFloats / columns), columns};
  }

  void gradient(const Batch& b, const Tile& t) const override {
    for (std::size_t r = 0; r < t.rows; ++r) std::fill_n(b.gradient + r * b.gradient_row, t.columns, 0.0f);
    const std::size_t n = b.samples * input_size();
    const auto* const sorted = reinterpret_cast<const std::uint32_t*>(b.saved) + (bits() / 8 % 2 ? n : 0);
    const auto of = [&](std::uint32_t i) { return row_of(b.x[i]); };
    const auto* const end = std::ranges::lower_bound(sorted, sorted + n, t.row + t.rows, {}, of);
    for (const auto* first = std::ranges::lower_bound(sorted, end, t.row, {}, of); first != end;) {
      const std::size_t row = of(*first);
      const auto* const last = std::find_if(first, end, [&](std::uint32_t i) { return of(i) != row; });
      sum_rows({.kernels = b.kernels,
                .samples = b.samples,
                .saved = nullptr,
                .x = nullptr,
                .dy = nullptr,
                .gradient = b.gradient + (row - t.row) * b.gradient_row,
                .gradient_row = b.gradient_row,
                .scratch = b.scratch},
               {0, row, 1, t.column, t.columns}, static_cast<std::size_t>(last - first), kRunRows,
               [&](std::size_t from, std::size_t count, float* to, std::size_t) {
                 std::fill_n(to, t.columns, 0.0f);
                 for (std::size_t i = from; i < from + count; ++i)
                   b.kernels.add(to, b.dy + first[i] * columns_ + t.column, t.columns);
               });
      first = last;
    }
  }

 private:
  // 0 for a number that names no row.
  std::size_t row_of(float x) const {
    return x >= 0.0f && x < static_cast<float>(rows_) ? static_cast<std::size_t>(x) : 0;
  }
  // The bits that number the rows, in whole bytes.
  std::size_t bits() const {
    std::size_t n = 0;
    while ((rows_ - 1) >> n) n += 8;
    return n;
  }
  [[gnu::cold, gnu::noinline]] void refuse(const Chunk& c, std::size_t i) const {
    std::ostringstream text;
    text << "[" << name_ << "] takes whole numbers from 0 to " << rows_ - 1 << " (input_dim is " << rows_
         << "), got " << std::setprecision(9) << c.x[i] << " at position " << i % input_size();
    c.refusals->add(c.first + i / input_size(), text.str());
  }

  std::string name_;
  std::size_t rows_, columns_;
};

}  // namespace

// name: of the layer, for messages.
std::unique_ptr<Layer> make_embedding(const Spec& spec, const Shape& input) {
  constexpr std::int64_t kMost = 1 << 24;  // float32 holds all whole numbers up to it
  const std::int64_t rows = spec.integer("input_dim");
  if (rows < 1 || rows > kMost)
    spec.fail("input_dim must be between 1 and " + std::to_string(kMost) + ", got " + std::to_string(rows));
  if (std::ranges::count(input, 0u)) spec.fail("an axis of the input is empty: " + to_string(input));
  Shape output = input;
  output.push_back(spec.positive("output_dim"));
  return std::make_unique<Embedding>(spec, input, std::move(output), static_cast<std::size_t>(rows));
}

}  // namespace nncore

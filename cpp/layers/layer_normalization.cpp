#include <algorithm>

#include "../runtime/memory.hpp"
#include "layer.hpp"

namespace nncore {
namespace {

// y = (x - mean) / sqrt(variance + epsilon) [* gamma] [+ beta] over the last axes, whose shape gamma and beta
// have. The moments of each row are saved.
class LayerNormalization final : public Layer {
 public:
  LayerNormalization(const Shape& input, std::size_t axes, double epsilon, bool scale, bool center)
      : Layer(input, input), epsilon_(epsilon), scale_(scale), center_(center) {
    const Shape shape(input.end() - offset(axes), input.end());
    n_ = size_of(shape);
    rows_ = input_size() / n_;
    if (scale) parameters_.push_back({"gamma", shape});
    if (center) parameters_.push_back({"beta", shape});
    constexpr std::size_t kWork = 4;  // multiply-adds of an element
    traits_ = {.work = kWork * input_size(),
               .saved = rows_ * kRowMoments,
               .scratch = aligned(2 * n_) + 4 * n_,
               .sums_by_chunk = true};
  }

  std::vector<Parameter> parameters() const override { return parameters_; }

  void prepare() override {
    if (!scale_ && ones_.empty()) ones_.assign(n_, 1.0f);
    if (!center_ && zeros_.empty()) zeros_.assign(n_, 0.0f);
  }

  void forward(const Chunk& c) const override { normalize(c, c.y); }
  void save(const Chunk& c) const override { normalize(c, nullptr); }

  void backward(const Chunk& c) const override {
    if (!c.gradient && !c.dx) return;
    const std::size_t rows = c.samples * rows_, run = rows <= kShortSum ? rows : kRunRows;
    float* const sums = c.gradient && scale_ && center_ ? c.gradient : c.scratch;  // (2, n)
    auto* const total = reinterpret_cast<double*>(c.scratch + aligned(2 * n_));
    if (run < rows) std::fill_n(total, 2 * n_, 0.0);
    for (std::size_t first = 0; first < rows; first += run) {
      std::fill_n(sums, 2 * n_, 0.0f);
      c.kernels.normalize_rows_backward(c.dx ? c.dx + first * n_ : nullptr, sums, sums + n_,
                                        c.dy + first * n_, c.x + first * n_, gamma(c),
                                        c.saved + first * kRowMoments, std::min(run, rows - first), n_);
      if (run < rows) c.kernels.add_wide(total, sums, 2 * n_);
    }
    for (std::size_t i = 0; run < rows && i < 2 * n_; ++i) sums[i] = static_cast<float>(total[i]);
    if (c.gradient && sums != c.gradient)
      std::copy_n(sums + (scale_ ? 0 : n_), parameters_.size() * n_, c.gradient);
  }

  Shape tile_shape(std::size_t parameter) const override {
    constexpr std::size_t kFloats = 8192;
    const std::size_t columns = parameters_[parameter].columns();
    return {std::max<std::size_t>(1, kFloats / columns), std::min(columns, kFloats)};
  }

 private:
  void normalize(const Chunk& c, float* y) const {
    const float* const beta = center_ ? c.parameters + (scale_ ? n_ : 0) : zeros_.data();
    c.kernels.normalize_rows(y, c.saved, c.x, gamma(c), beta, epsilon_, c.samples * rows_, n_);
  }
  const float* gamma(const Chunk& c) const { return scale_ ? c.parameters : ones_.data(); }

  std::size_t n_, rows_;  // elements of a row, rows of a sample
  double epsilon_;
  bool scale_, center_;
  std::vector<Parameter> parameters_;
  std::vector<float> ones_, zeros_;  // replace missing parameters
};

}  // namespace

// axis: counted with the batch axis, or from the end if negative.
std::unique_ptr<Layer> make_layer_normalization(const Spec& spec, const Shape& input) {
  const std::int64_t axes = offset(input.size());
  std::vector<std::int64_t> normalized;
  std::string given;
  for (const std::int64_t axis : spec.integers("axis")) {
    normalized.push_back(axis > 0 ? axis - 1 : axis < 0 ? axis + axes : -1);
    given += (given.empty() ? "" : ", ") + std::to_string(axis);
  }
  std::ranges::sort(normalized);
  for (std::size_t i = 0; i < normalized.size(); ++i)
    if (normalized[i] < 0 || normalized[i] != axes - offset(normalized.size() - i))
      spec.fail("axis must name the last axes, -1 or such as [-2, -1], got [" + given +
                "] for samples of shape " + to_string(input) +
                ": move the axis to the end of the data, as numpy.moveaxis does");
  if (size_of(input) == 0) spec.fail("an axis of the input is empty: " + to_string(input));
  return std::make_unique<LayerNormalization>(input, normalized.size(), spec.number("epsilon"),
                                              spec.flag("scale"), spec.flag("center"));
}

}  // namespace nncore

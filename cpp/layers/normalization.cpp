#include <algorithm>
#include <cmath>

#include "../runtime/memory.hpp"
#include "broadcast.hpp"

namespace nncore {
namespace {

// y = (x - mean) / deviation, or x * deviation + mean if `inverts`, with deviation = max(sqrt(variance),
// 1e-7), for each index of some axes. Mean and variance are given, or state that the caller writes.
class Normalization final : public Layer {
 public:
  struct Given {
    std::vector<double> mean, variance;  // one number for all, or one for each index; empty: state
  };

  Normalization(const Shape& input, const Shape& features, std::vector<bool> kept, bool inverts, Given given)
      : Layer(input, input),
        features_(features),
        numbers_(input, std::move(kept)),
        inverts_(inverts),
        given_(std::move(given)) {
    traits_.scratch = kArrays * aligned(numbers_.columns());
    traits_.work = 2 * input_size();
  }

  std::vector<Parameter> parameters() const override {
    if (!given_.mean.empty()) return {};
    return {
        {"mean", features_, false, true}, {"variance", features_, false, true}, {"count", {}, false, true}};
  }
  void prepare() override { numbers_.prepare(); }

  void forward(const Chunk& c) const override { apply(c, c.y, c.x, true); }
  void save(const Chunk&) const override {}
  void backward(const Chunk& c) const override {
    if (c.dx) apply(c, c.dx, c.dy, false);
  }
  Shape tile_shape(std::size_t) const override { return {1, 1}; }

 private:
  static constexpr std::size_t kArrays = 3;

  double mean(const Chunk& c, std::size_t i) const {
    const std::vector<double>& m = given_.mean;
    return m.empty() ? double{c.parameters[i]} : m[m.size() == 1 ? 0 : i];
  }
  double deviation(const Chunk& c, std::size_t i) const {
    const std::vector<double>& v = given_.variance;
    const double variance = v.empty() ? double{c.parameters[numbers_.count() + i]} : v[v.size() == 1 ? 0 : i];
    return std::max(std::sqrt(variance), 1e-7);
  }
  // centres: else the map without its offset
  void apply(const Chunk& c, float* to, const float* from, bool centres) const {
    const std::size_t columns = numbers_.columns();
    float *mean_of = c.scratch, *scale = mean_of + aligned(columns), *offset_of = scale + aligned(columns);
    for (std::size_t j = 0; j < columns; ++j) {
      const std::size_t i = numbers_.at(j);
      const double m = centres ? mean(c, i) : 0.0, d = deviation(c, i);
      mean_of[j] = inverts_ ? 0.0f : static_cast<float>(m);
      offset_of[j] = inverts_ ? static_cast<float>(m) : 0.0f;
      scale[j] = static_cast<float>(inverts_ ? d : 1.0 / d);
    }
    c.kernels.column_affine(to, from, nullptr, {mean_of, scale, offset_of, nullptr},
                            c.samples * numbers_.rows(), columns);
  }

  Shape features_;
  Broadcast numbers_;
  bool inverts_;
  Given given_;
};

}  // namespace

// axis: counted with the batch axis, or from the end if negative.
std::unique_ptr<Layer> make_normalization(const Spec& spec, const Shape& input) {
  std::vector<bool> kept(input.size());
  for (const std::int64_t axis : spec.integers("axis")) {
    const std::int64_t index = axis < 0 ? axis + offset(input.size()) : axis - 1;
    if (index < 0 || index >= offset(input.size()))
      spec.fail("axis must name axes behind the batch, got " + std::to_string(axis) +
                " for samples of shape " + to_string(input));
    kept[static_cast<std::size_t>(index)] = true;
  }
  const std::size_t size = size_of(input);
  if (size == 0 || size > UINT32_MAX)
    spec.fail("expected samples of 1 to 2^32 elements, got shape " + to_string(input));
  Shape features;
  for (std::size_t i = 0; i < input.size(); ++i)
    if (kept[i]) features.push_back(input[i]);
  Normalization::Given given;
  if (spec.attributes.count("mean")) given = {spec.numbers("mean"), spec.numbers("variance")};
  for (const std::vector<double>* numbers : {&given.mean, &given.variance})
    if (numbers->size() > 1 && numbers->size() != size_of(features))
      spec.fail("expected mean and variance of " + std::to_string(size_of(features)) + " numbers, got " +
                std::to_string(numbers->size()));
  return std::make_unique<Normalization>(input, features, std::move(kept), spec.flag("invert"),
                                         std::move(given));
}

}  // namespace nncore

#include <algorithm>
#include <array>
#include <cmath>

#include "activation.hpp"

namespace nncore {
namespace {

// y = f((x - mean) / sqrt(variance + epsilon) * gamma + beta) for each channel, an index of one axis. Mean
// and variance are those of the batch in training, else the moving ones (Ioffe and Szegedy 2015).
//
// A sample is a matrix (rows, channels * inner), where inner is the product of the axes behind the channels.
// Chunks sum columns; `combine` adds the chunks and the columns of a channel.
class BatchNormalization final : public ActivatedLayer, public BatchStatistics {
 public:
  struct Settings {
    std::size_t channels, inner;
    float momentum, epsilon;
    bool center, scale;
  };

  BatchNormalization(const Shape& input, const Settings& s, const ActivationFunction& activation)
      : ActivatedLayer(input, input, parameters_of(s), activation),
        s_(s),
        columns_(s.channels * s.inner),
        rows_of_columns_(input_size() / columns_) {
    traits_.scratch = 3 * columns_;
    traits_.work = 8 * input_size();
  }

  const BatchStatistics* batch_statistics() const override { return this; }
  std::size_t partial_floats() const override { return 3 * columns_; }
  std::size_t floats() const override { return 5 * columns_ + 6 * s_.channels; }

  void forward(const Chunk& c) const override {
    float* const z = z_of(c, 0);
    const ColumnAffine map = c.statistics ? map_of(c.statistics) : moving_map(c);
    c.kernels.column_affine(z, c.x, nullptr, map, rows(c), columns_);
    activate(c, c.y, z, c.samples * rows_);
  }

  void backward(const Chunk& c) const override {
    if (c.statistics) {
      if (!c.dx) return;
      const float* const s = c.statistics;
      return c.kernels.column_affine(c.dx, c.x, c.dy, {s, s + at(kSlope), s + at(kShift), s + at(kScale)},
                                     rows(c), columns_);
    }
    const float* const dz = activation_gradient(c);
    if (!c.dx) return;
    // dx = dz * scale: the moving map with mean and offset set to zero in scratch.
    const ColumnAffine map = moving_map(c);
    std::fill_n(c.scratch, columns_, 0.0f);
    std::fill_n(c.scratch + at(kOffset), columns_, 0.0f);
    c.kernels.column_affine(c.dx, dz, nullptr, map, rows(c), columns_);
  }

  Shape tile_shape(std::size_t) const override { return {1, s_.channels}; }
  void gradient(const Batch& b, const Tile& t) const override {
    const Channel which = s_.scale && t.parameter == 0 ? kGamma : kBeta;
    std::copy_n(b.statistics + at(which) + t.column, t.columns, b.gradient);
  }

  // Writes for each column the first row, the mean minus the first row, and the sum of squares about the
  // mean. The difference stays accurate if the mean is large.
  void summarize(const Chunk& c) const override {
    std::copy_n(c.x, columns_, c.partial);
    c.kernels.column_moments(c.partial + columns_, c.partial + 2 * columns_, c.x, rows(c), columns_);
  }

  // Writes for each column the sums of dz and of dz * (x - mean).
  void summarize_backward(const Chunk& c) const override {
    const float* const dz = activation_gradient(c);
    c.kernels.column_sums(c.partial, dz, rows(c), columns_, columns_);
    c.kernels.column_products(c.partial + columns_, dz, c.x, c.statistics, rows(c), columns_);
  }

  // Means and sums of squares are combined part by part (Chan, Golub and LeVeque 1983).
  void combine(const Partials& p) const override {
    for (std::size_t channel = 0; channel < s_.channels; ++channel) {
      double count = 0.0, mean = 0.0, squares = 0.0;
      for_each_part(p, channel, [&](double n, double first_row, double shift, double part_squares) {
        const double all = count + n, distance = first_row + shift - mean;
        squares += part_squares + distance * distance * count * n / all;
        mean += distance * n / all;
        count = all;
      });
      const double variance = squares / count, rstd = rstd_of(variance);
      write_channel(p.statistics, channel, p.parameters, mean, rstd);
      p.statistics[at(kMean) + channel] = static_cast<float>(mean);
      p.statistics[at(kVariance) + channel] = static_cast<float>(variance);
      p.statistics[at(kDeviation) + channel] = static_cast<float>(rstd);
      p.statistics[at(kRest) + channel] = static_cast<float>(rest_of(mean));
    }
  }

  // dx = scale * (dz - mean of dz - x^ * mean of (dz * x^)), where x^ = (x - mean) * rstd
  void combine_backward(const Partials& p) const override {
    for (std::size_t channel = 0; channel < s_.channels; ++channel) {
      double count = 0.0, sum = 0.0, product = 0.0;
      for_each_part(p, channel, [&](double n, double part_sum, double part_product, double) {
        count += n;
        sum += part_sum;
        product += part_product;
      });
      const double rstd = double{p.statistics[at(kDeviation) + channel]},
                   rest = double{p.statistics[at(kRest) + channel]},
                   scale = double{p.statistics[at(kScale) + channel * s_.inner]};
      product = (product - rest * sum) * rstd;
      const double slope = -scale * rstd * product / count;
      p.statistics[at(kBeta) + channel] = static_cast<float>(sum);
      p.statistics[at(kGamma) + channel] = static_cast<float>(product);
      fill(p.statistics + at(kSlope), channel, slope);
      fill(p.statistics + at(kShift), channel, -scale * sum / count - slope * rest);
    }
  }

  void move_state(float* parameters, const float* statistics) const override {
    float* const moving = parameters + state();
    for (std::size_t i = 0; i < 2 * s_.channels; ++i)
      moving[i] = moving[i] * s_.momentum + statistics[at(kMean) + i] * (1.0f - s_.momentum);
  }

  void moving_map(float* scale, float* offset, const float* parameters) const override {
    const float *mean = parameters + state(), *variance = mean + s_.channels;
    for (std::size_t i = 0; i < s_.channels; ++i) {
      const double factor = gamma(parameters, i) * rstd_of(double{variance[i]});
      scale[i] = static_cast<float>(factor);
      offset[i] = static_cast<float>(beta(parameters, i) - double{mean[i]} * factor);
    }
  }

 private:
  // Layout of the statistics of a batch: arrays of one number a column, then of one number a channel.
  enum Column { kCentre, kScale, kOffset, kSlope, kShift };
  enum Channel { kMean, kVariance, kDeviation, kRest, kGamma, kBeta };
  std::size_t at(Column c) const { return c * columns_; }
  std::size_t at(Channel c) const { return 5 * columns_ + c * s_.channels; }

  static std::vector<Parameter> parameters_of(const Settings& s) {
    std::vector<Parameter> list;
    if (s.scale) list.push_back({"gamma", {s.channels}});
    if (s.center) list.push_back({"beta", {s.channels}});
    for (const char* name : {"moving_mean", "moving_variance"})
      list.push_back({name, {s.channels}, false, true});
    return list;
  }
  // Offset of the moving mean in the parameters. The moving variance follows.
  std::size_t state() const { return (std::size_t{s_.scale} + std::size_t{s_.center}) * s_.channels; }
  std::size_t rows(const Chunk& c) const { return c.samples * rows_of_columns_; }

  double gamma(const float* parameters, std::size_t channel) const {
    return s_.scale ? double{parameters[channel]} : 1.0;
  }
  double beta(const float* parameters, std::size_t channel) const {
    return s_.center ? double{parameters[(s_.scale ? s_.channels : 0) + channel]} : 0.0;
  }
  // The rounding error of a mean as float, which matters if the mean is large beside the deviation.
  static double rest_of(double mean) { return mean - double{static_cast<float>(mean)}; }
  double rstd_of(double variance) const { return 1.0 / std::sqrt(variance + double{s_.epsilon}); }

  void fill(float* columns, std::size_t channel, double value) const {
    std::fill_n(columns + channel * s_.inner, s_.inner, static_cast<float>(value));
  }
  void write_channel(float* columns, std::size_t channel, const float* parameters, double mean,
                     double rstd) const {
    const double scale = rstd * gamma(parameters, channel);
    fill(columns, channel, mean);
    fill(columns + at(kScale), channel, scale);
    fill(columns + at(kOffset), channel, beta(parameters, channel) - rest_of(mean) * scale);
  }
  ColumnAffine map_of(const float* columns) const {
    return {columns, columns + at(kScale), columns + at(kOffset), nullptr};
  }
  ColumnAffine moving_map(const Chunk& c) const {
    const float *mean = c.parameters + state(), *variance = mean + s_.channels;
    for (std::size_t i = 0; i < s_.channels; ++i)
      write_channel(c.scratch, i, c.parameters, double{mean[i]}, rstd_of(double{variance[i]}));
    return map_of(c.scratch);
  }

  // Calls body(count, three partial numbers) for each column of a channel, in the order of the chunks.
  template <class Body>
  void for_each_part(const Partials& p, std::size_t channel, Body body) const {
    for (std::size_t i = 0; i < p.chunks; ++i) {
      const float* const part = p.chunk(i) + channel * s_.inner;
      const auto n = static_cast<double>(p.samples_of(i) * rows_of_columns_);
      for (std::size_t k = 0; k < s_.inner; ++k)
        body(n, double{part[k]}, double{part[columns_ + k]}, double{part[2 * columns_ + k]});
    }
  }

  Settings s_;
  std::size_t columns_, rows_of_columns_;
};

}  // namespace

std::unique_ptr<Layer> make_batch_normalization(const Spec& spec, const Shape& input) {
  const std::int64_t axes = static_cast<std::int64_t>(input.size()) + 1, given = spec.integer("axis"),
                     axis = given < 0 ? given + axes : given;
  if (axis < 1 || axis >= axes)
    spec.fail("axis must be one of the " + std::to_string(axes - 1) + " behind the batch, got " +
              std::to_string(given));
  if (std::ranges::count(input, std::size_t{0}) > 0)
    spec.fail("an axis of the input is empty: " + to_string(input));
  const float epsilon = spec.single("epsilon"), momentum = spec.single("momentum");
  if (!(epsilon >= 0.0f)) spec.fail("epsilon must be at least 0, got " + std::to_string(epsilon));
  const Shape behind(input.begin() + axis, input.end());
  return std::make_unique<BatchNormalization>(
      input,
      BatchNormalization::Settings{input[static_cast<std::size_t>(axis) - 1], size_of(behind), momentum,
                                   epsilon, spec.flag("center"), spec.flag("scale")},
      activation_of(spec));
}

}  // namespace nncore

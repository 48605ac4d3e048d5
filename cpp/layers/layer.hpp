// The contract of a layer: it holds settings and shapes, owns no batch memory and knows no other layer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "../core/spec.hpp"
#include "../kernels/kernels.hpp"

namespace nncore {

constexpr std::size_t kMostAxes = 63;  // axes of a sample; NumPy allows 64, the batch axis included

constexpr std::ptrdiff_t offset(std::size_t n) { return static_cast<std::ptrdiff_t>(n); }

// Floats of a matrix (rows, columns) packed in panels by Kernels::pack.
inline std::size_t in_panels(const Kernels& k, std::size_t rows, std::size_t columns) {
  return (columns + k.panel - 1) / k.panel * k.panel * rows;
}

// A variable of a layer, stored as the matrix (product of the leading axes, last axis), or as its transpose
// if the kernels read that. `units` are the columns of that matrix if they are several of the last axes.
struct Parameter {
  std::string name;
  Shape shape;
  bool transposed = false;
  bool is_state = false;  // written by the layer, never by an optimizer; listed last
  std::size_t units = shape.empty() ? 1 : shape.back();

  std::size_t rows() const { return transposed ? units : size_of(shape) / units; }  // as stored
  std::size_t columns() const { return transposed ? size_of(shape) / units : units; }
  bool operator==(const Parameter&) const = default;
};

// A block of one parameter, as stored.
struct Tile {
  std::size_t parameter, row, rows, column, columns;
};

// What layers refuse of the values that they read. Any thread may add; that of the first sample is kept.
class Refusals {
 public:
  // text follows "[layer] " and is followed by the number of the sample. Keeps one text.
  [[gnu::cold]] void add(std::size_t sample, const std::string& text) {
    const std::lock_guard hold(busy_);
    if (text_.empty() || sample < sample_) sample_ = sample, text_ = text;
  }
  bool any() const { return !text_.empty(); }
  std::size_t sample() const { return sample_; }
  std::string take() { return std::exchange(text_, {}); }

 private:
  std::mutex busy_;
  std::size_t sample_ = 0;
  std::string text_;
};

// The arguments of a layer for consecutive samples of a batch. Arrays hold these samples one after the other.
struct Chunk {
  const Kernels& kernels;
  std::size_t samples;
  std::size_t first;        // index of the first sample in the batch
  std::uint64_t key;        // of the random numbers of this layer and step (unmixed_key)
  bool training;            // random numbers are drawn
  const float* parameters;  // the layer's parameters, one after the other
  const float* packed;      // packed weights, written by Layer::pack
  float* scratch;           // Traits::scratch floats of this worker
  float* gemm_scratch;      // Kernels::gemm_scratch floats of this worker
  float* saved;  // Traits::saved floats a sample, written forward and read backward; null outside training
  const float* x;
  float* y;
  const float* dy = nullptr;
  float* dz = nullptr;  // written if Traits::writes_dz; may be dy
  float* dx = nullptr;  // null if not needed
  // x and dx of each input, for layers with several. The first are x and dx.
  const float* const* xs = nullptr;
  float* const* dxs = nullptr;
  // Gradient of the parameters over this chunk, laid out like them. Null if it is not needed, and for layers
  // without Traits::sums_by_chunk.
  float* gradient = nullptr;
  // Statistics of this chunk and of the batch, for BatchStatistics. Null if the moving statistics are used.
  float* partial = nullptr;
  const float* statistics = nullptr;
  std::uint64_t step = 0;        // its number, for layers with a seed of their own
  Refusals* refusals = nullptr;  // of the network
};

// The arguments of Layer::gradient: a whole batch, after backward.
struct Batch {
  const Kernels& kernels;
  std::size_t samples;
  const float* saved;
  const float* x;
  const float* dy;  // dz if Traits::writes_dz
  float* gradient;  // of the tile; its rows are gradient_row floats apart
  std::size_t gradient_row;
  float* scratch;                     // gradient_scratch floats of this worker
  const float* statistics = nullptr;  // of the batch, for layers with BatchStatistics
};

// The partial statistics of all chunks, which are combined in chunk order.
struct Partials {
  const float* chunk(std::size_t i) const { return first + i * stride; }
  std::size_t samples_of(std::size_t i) const { return std::min(chunk_size, samples - i * chunk_size); }

  std::size_t samples, chunk_size, chunks;
  const float* first;
  std::size_t stride;  // floats from one chunk to the next
  const float* parameters;
  float* statistics;  // of the batch
};

// Statistics over the whole batch in training. All chunks run `summarize` before the first runs `forward`,
// and `summarize_backward` before the first runs `backward`.
class BatchStatistics {
 public:
  virtual ~BatchStatistics() = default;
  virtual std::size_t partial_floats() const = 0;  // of a chunk
  virtual std::size_t floats() const = 0;          // of the batch
  // Write c.partial from c.x; from c.x and c.dy. The second leaves dz in c.dz, which backward reads as dy.
  virtual void summarize(const Chunk& c) const = 0;
  virtual void summarize_backward(const Chunk& c) const = 0;
  virtual void combine(const Partials& p) const = 0;
  virtual void combine_backward(const Partials& p) const = 0;
  // Updates the moving statistics with those of a batch, after the step.
  virtual void move_state(float* parameters, const float* statistics) const = 0;
  // The map with moving statistics: y = x * scale + offset for each channel.
  virtual void moving_map(float* scale, float* offset, const float* parameters) const = 0;
};

// The products that read packed weights.
struct Readers {
  bool forward, dx;
};

// Properties of a layer that a plan reads. They are fixed by its constructor.
struct Traits {
  std::size_t work;         // approximate multiply-adds for each sample
  std::size_t saved = 0;    // floats of saved activations for each sample
  std::size_t scratch = 0;  // floats for each worker
  bool is_view = false;     // output equals input, so the step is skipped
  bool is_view_at_inference = false;
  // backward writes dz, the gradient by the input of the activation; `gradient` reads it in place of dy.
  bool writes_dz = false;
  // backward writes the gradient of the parameters over its chunk, and `gradient` is not called. This is
  // faster if the parameters are few and dy is large.
  bool sums_by_chunk = false;
  std::size_t least_samples = 1;  // of a chunk, if the batch has as many; at most 32
  bool has_slope = true;          // false: backward has no dy and writes zeros
};

class Layer {
 public:
  Layer(Shape input, Shape output)
      : input_(std::move(input)),
        output_(std::move(output)),
        input_size_(size_of(input_)),
        output_size_(size_of(output_)),
        traits_{.work = output_size_} {}
  virtual ~Layer() = default;

  const Shape& input() const { return input_; }
  const Shape& output() const { return output_; }
  const Traits& traits() const { return traits_; }

  virtual std::vector<Parameter> parameters() const { return {}; }

  // Makes the tables that forward, backward and gradient read. Must be called before them, by one thread. The
  // first call may allocate memory of the size of a sample; later ones return at once.
  virtual void prepare() {}

  // Null for layers without statistics of the batch.
  virtual const BatchStatistics* batch_statistics() const { return nullptr; }

  virtual void forward(const Chunk& c) const = 0;
  virtual void backward(const Chunk& c) const = 0;
  // Replaces forward if the output is not needed. Writes what backward and gradient read of y and saved.
  virtual void save(const Chunk& c) const { forward(c); }

  // Largest rows and columns of a tile of a parameter. Gradients and updates are computed tile by tile.
  virtual Shape tile_shape(std::size_t) const { return {}; }
  // Runs once, on one thread, before the gradients of a batch: x and saved of all samples.
  virtual void before_gradient(std::size_t /*samples*/, const float* /*x*/, float* /*saved*/) const {}
  // Writes the gradient of one tile over the whole batch.
  virtual void gradient(const Batch&, const Tile&) const {}

  // Floats of the packed weights, a copy of the parameters in the order in which kernels read them. for_dx:
  // whether backward will compute dx.
  virtual std::size_t packed_size(const Kernels&, bool /*for_dx*/) const { return 0; }
  virtual void pack(const Kernels&, float* /*packed*/, const float* /*parameters*/, const Tile&,
                    Readers) const {}

 protected:
  std::size_t input_size() const { return input_size_; }
  std::size_t output_size() const { return output_size_; }
  std::size_t saved() const { return traits_.saved; }

 private:
  Shape input_, output_;
  std::size_t input_size_, output_size_;

 protected:
  Traits traits_;  // set by constructors only
};

constexpr std::size_t kMostInputs = 256;  // inputs of a call

// Makes a layer of a registered kind. Throws std::invalid_argument that starts with "[kind]".
std::unique_ptr<Layer> make_layer(const Spec& spec, const std::vector<Shape>& inputs);
std::vector<std::string> layer_kinds();

}  // namespace nncore

// What a layer is: settings, shapes and a few answers. It owns no batch memory and knows no other layer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../core/spec.hpp"
#include "../kernels/kernels.hpp"

namespace nncore {

constexpr std::size_t kMostAxes = 63;  // of a sample: NumPy's arrays have one more, for the batch

// A size as a distance between elements.
constexpr std::ptrdiff_t offset(std::size_t n) { return static_cast<std::ptrdiff_t>(n); }

// Floats of a matrix (rows, columns) in panels, as Kernels::pack writes them.
inline std::size_t in_panels(const Kernels& k, std::size_t rows, std::size_t columns) {
  return (columns + k.panel - 1) / k.panel * k.panel * rows;
}

// A variable of a layer. Seen as a matrix (all leading axes, last axis); the flat buffers hold its transpose
// if that is what the kernels read.
struct Parameter {
  std::string name;
  Shape shape;
  bool transposed = false;
  bool is_state = false;  // written by the layer in training, never by an optimizer; behind those that train

  std::size_t rows() const { return transposed ? shape.back() : size_of(shape) / shape.back(); }  // as held
  std::size_t columns() const { return transposed ? size_of(shape) / shape.back() : shape.back(); }
  bool operator==(const Parameter&) const = default;
};

// A block of one parameter, as the flat buffers hold it.
struct Tile {
  std::size_t parameter, row, rows, column, columns;
};

// A run of samples on its way through one layer. Arrays hold `samples` samples, one after the other.
struct Chunk {
  const Kernels& kernels;
  std::size_t samples;
  std::size_t first;        // number of the first sample in the batch
  std::uint64_t key;        // of random numbers, for this layer and step: unmixed_key
  const float* parameters;  // the layer's parameters, one after the other
  const float* packed;      // as written by Layer::pack
  float* scratch;           // Traits::scratch floats of this worker
  float* gemm_scratch;      // Kernels::gemm_scratch floats of this worker
  float* saved;  // Traits::saved floats a sample, written forward and read backward; null outside training
  const float* x;
  float* y;
  const float* dy = nullptr;
  float* dz = nullptr;  // room for what Traits::writes_dz tells of; may be dy
  float* dx = nullptr;  // null when nobody needs it
  // Of layers with several inputs: x and dx of each. The first are x and dx.
  const float* const* xs = nullptr;
  float* const* dxs = nullptr;
  // Of the layer's parameters, laid out like them, over this chunk alone. Null when nobody needs it, and for
  // layers that do not sum by chunk.
  float* gradient = nullptr;
  // Of a layer with BatchStatistics, in training: those of this chunk, and those of the batch. Null where the
  // layer is to use its moving statistics.
  float* partial = nullptr;
  const float* statistics = nullptr;
};

// A whole batch, after backward: what the gradient of a parameter is made of.
struct Batch {
  const Kernels& kernels;
  std::size_t samples;
  const float* saved;
  const float* x;
  const float* dy;  // or dz, after Traits::writes_dz
  float* gradient;  // of the tile, whose rows are gradient_row floats apart
  std::size_t gradient_row;
  float* scratch;                     // of this worker, see gradient_scratch
  const float* statistics = nullptr;  // of a layer with BatchStatistics
};

// What all chunks have found out for BatchStatistics, to be combined in their order.
struct Partials {
  const float* chunk(std::size_t i) const { return first + i * stride; }
  std::size_t samples_of(std::size_t i) const { return std::min(chunk_size, samples - i * chunk_size); }

  std::size_t samples, chunk_size, chunks;
  const float* first;
  std::size_t stride;  // floats from one chunk to the next
  const float* parameters;
  float* statistics;  // of the batch
};

// What a layer does besides that reads the whole batch in training. All chunks go through `summarize` before
// the first goes through `forward`, and through `summarize_backward` before the first goes through
// `backward`.
class BatchStatistics {
 public:
  virtual ~BatchStatistics() = default;
  virtual std::size_t partial_floats() const = 0;  // of a chunk
  virtual std::size_t floats() const = 0;          // of the batch
  // Writes c.partial from c.x, and from c.dy as well, where c.dz takes the place of dy for `backward`.
  virtual void summarize(const Chunk& c) const = 0;
  virtual void summarize_backward(const Chunk& c) const = 0;
  virtual void combine(const Partials& p) const = 0;
  virtual void combine_backward(const Partials& p) const = 0;
  // Moves the layer's state towards the statistics of a batch, after the step.
  virtual void move_state(float* parameters, const float* statistics) const = 0;
  // What the layer does by its state: y = x * scale + offset for each channel.
  virtual void moving_map(float* scale, float* offset, const float* parameters) const = 0;
};

// Who is going to read packed weights.
struct Readers {
  bool forward, dx;
};

// What a plan asks of a layer, fixed when the layer is made.
struct Traits {
  std::size_t work;         // multiply-adds for each sample, about
  std::size_t saved = 0;    // floats for each sample
  std::size_t scratch = 0;  // floats for each worker
  bool is_view = false;     // output equals input, so the plan need not run the layer
  bool is_view_at_inference = false;
  // backward writes dz, the gradient before an activation in the layer, and `gradient` reads it for dy.
  bool writes_dz = false;
  // backward writes the parameters' gradient over its chunk, and `gradient` is not called: best where the
  // parameters are few and dy is large.
  bool sums_by_chunk = false;
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

  // Makes what forward, backward and gradient need besides memory of the batch. To be called before them, by
  // one thread; at first it may take memory by the size of a sample, later it returns at once.
  virtual void prepare() {}

  // Null, or what has to be done before forward and backward in training.
  virtual const BatchStatistics* batch_statistics() const { return nullptr; }

  virtual void forward(const Chunk& c) const = 0;
  virtual void backward(const Chunk& c) const = 0;
  // In place of forward where nobody wants the output: what backward and gradient read of it, in y and saved.
  virtual void save(const Chunk& c) const { forward(c); }

  // Rows and columns of the tiles into which the gradient and update of a parameter are cut.
  virtual Shape tile_shape(std::size_t) const { return {}; }
  // Writes the gradient of one tile over the whole batch.
  virtual void gradient(const Batch&, const Tile&) const {}

  // Floats of a second copy of the parameters in the order in which the kernels read them. for_dx: backward
  // will be asked for dx.
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
  Traits traits_;  // set in constructors alone
};

constexpr std::size_t kMostInputs = 256;  // of a call

// A layer of registered kind for inputs of given shapes. Throws std::invalid_argument that starts with
// "[kind]".
std::unique_ptr<Layer> make_layer(const Spec& spec, const std::vector<Shape>& inputs);
std::vector<std::string> layer_kinds();

}  // namespace nncore

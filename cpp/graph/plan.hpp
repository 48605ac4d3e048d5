// A graph for inputs of one shape: its steps, and the offsets of their values.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "graph.hpp"
#include "memory.hpp"
#include "parameters.hpp"
#include "variables.hpp"

namespace nncore {

// Offsets of trained layers in buffers of gradients and of moments.
struct TrainedLayout {
  std::vector<bool> trains;     // of each layer
  std::vector<std::size_t> at;  // of each layer
  std::size_t size = 0;
  bool inputs = false;  // the gradients of the graph's inputs are computed as well
};

// The memory of a value and of its views.
struct Storage {
  std::size_t size = 0;  // floats a sample
  std::size_t first = 0,
              last = 0;         // lifetime: 0 is before all steps, i + 1 is step i, then the outputs
  std::size_t value = 0;        // offset in the arena, in training
  std::size_t gradient = 0;     // offset of its gradient in the arena, if `lasting`
  bool needs_gradient = false;  // the gradient of the loss by this value is computed
  bool lasting = false;         // the gradient is read again by another stage or by the parameter pass
};

// The storages that a step reads and writes, by number.
struct Wires {
  std::vector<std::size_t> in;
  std::size_t out = 0;

  bool runs() const { return in[0] != out; }
};

// The packed weights of a layer object, shared by its steps.
struct Packing {
  std::size_t at = 0;
  bool any = false;     // this step or a later one of its layer has packed weights
  bool for_dx = false;  // the input gradient reads them too
  bool for_forward = true;
  std::uint64_t version = 0;  // Variables::version() that they were made from
};

// Offsets in the arena, and sizes in floats of a sample (activations) or of a chunk (sums).
struct Saved {
  std::size_t activations = 0, activations_size = 0;
  std::size_t sums = 0, sums_size = 0;       // parameter gradients of each chunk
  std::size_t partials = 0, statistics = 0;  // of BatchStatistics: of each chunk, and of the batch
};

// A normalization folded into the weights of the step before it, at inference.
struct Folding {
  std::shared_ptr<Layer> layer;  // or null
  std::size_t number = 0;        // of the layer
  std::size_t at = 0;            // offset of the folded weights in Plan::folded
  std::uint64_t version = 0;     // Variables::version() of the normalization that they were made from
};

struct Step {
  std::shared_ptr<Layer> layer;
  std::size_t number = 0,
              call = 0;  // of the layer (for variables), and of the call (for random numbers)
  std::string label;
  Wires training, inference;
  std::vector<bool> adds;   // for each input: its gradient is added to that of other readers
  bool is_chained = true;   // has one input, and adds no gradient
  std::size_t next = 0;     // the next step of this layer, or 0
  bool is_first = true;     // step of its layer
  bool is_trained = false;  // has parameters that train
  // Statistics for which all chunks wait for each other. Null if the layer needs none or is frozen.
  const BatchStatistics* statistics = nullptr;
  std::size_t stage = 0;
  Folding folding;
  Packing packing;
  Saved saved;
  std::size_t parameter_floats = 0;  // that train
  float* values = nullptr;           // of the parameters
  std::size_t trained_at = 0;        // offset of their gradients and moments
};

struct TileTask {
  std::size_t step;  // the first of its layer
  ParameterTile tile;
};

// Steps that a chunk of a training batch runs without waiting for other chunks. A stage begins with a step
// that has BatchStatistics, or where the masks of outputs are known.
struct Stage {
  std::size_t first = 0, last = 0;  // steps, the last not included
  std::size_t sample_floats = 0;    // of values and gradients in the arena, for one sample
  std::size_t sample_work = 0;      // multiply-adds forward, for one sample
  std::size_t parameters = 0;       // floats of parameters that a chunk reads
  std::size_t least_samples = 1;    // of a chunk, if the batch has as many
  bool goes_back = false;           // a gradient is computed
  std::size_t chunk_size = 0;       // samples, for the last batch of training
  std::size_t apart = 0;            // samples at the end that are a chunk of their own

  std::size_t chunks(std::size_t samples) const {
    return (samples - apart + chunk_size - 1) / chunk_size + (apart > 0);
  }
};

// An output of the graph, or a value that is penalized.
struct Output {
  Shape shape;
  std::size_t storage, infer_storage;
  bool adds;                                         // an earlier output is the same value
  std::size_t mask = kNoMask, infer_mask = kNoMask;  // storages
};

struct Sizes {
  std::size_t sample_work = 0;    // multiply-adds forward, for one sample
  std::size_t table_work = 0;     // of updating parameters that samples hardly read, in multiply-adds
  std::size_t infer_floats = 0;   // of values at inference, for one sample
  std::size_t least_samples = 1;  // of a chunk, if the batch has as many
  std::size_t layer_scratch = 0;  // floats of a worker for products and for the scratch of any layer
  std::size_t tile_floats = 0;    // of the largest tile
  std::size_t most_added = 0;     // floats a sample of gradients that one step adds
  std::size_t tile_scratch = 0;   // floats of a worker of the parameter pass
};

struct Plan {
  // for_inference: layers are fused in ways that training cannot use. Throws std::invalid_argument naming the
  // layer that does not accept its input or has other variables.
  Plan(const Graph& graph, std::vector<Shape> inputs, const std::vector<bool>& detached, bool is_fused,
       const std::vector<std::shared_ptr<Variables>>& variables, const TrainedLayout& trained,
       const Kernels& kernels, bool for_inference = false);

  // Computes the offsets of values, lasting gradients and chunk sums in the arena. Returns the floats of the
  // arena. chunks: the largest number of chunks of each stage.
  std::size_t lay_out_training(std::size_t batch, const std::vector<std::size_t>& chunks);
  bool sums_chunks() const;
  // The step at which a stage waits for all chunks, or null.
  const Step* barrier(const Stage& stage) const {
    return stage.last < steps.size() && steps[stage.last].statistics ? &steps[stage.last] : nullptr;
  }

  std::vector<Shape> inputs;
  std::vector<Output> outputs;  // of the graph, then the penalized values
  std::vector<Step> steps;
  std::vector<Stage> stages;          // of training
  std::size_t mask_stage = SIZE_MAX;  // at whose end the masks of outputs are known, if there are any
  std::vector<Storage> storages, infer_storages;
  std::vector<TileTask> tiles;
  std::vector<std::size_t> runs;  // starts of runs of tiles of about equal work, and the end
  Buffer packed;
  Buffer folded;                                   // weights with a normalization folded into them
  bool goes_back = false;                          // a gradient of an output is needed
  std::uint64_t seen_version = 0, seen_moves = 0;  // of the store

  Sizes sizes;

  SharedMemory gradients;     // that are not lasting, in a worker's scratch
  SharedMemory infer_values;  // values at inference, in a worker's scratch

  // For the last batch of training.
  std::size_t chunked_batch = 0, most_samples = 0;  // samples of the batch, and of the largest chunk
  std::size_t arena_batch = 0, arena_floats = 0;

 private:
  void wire(const Graph& graph, const std::vector<Node>& nodes, std::size_t values, bool training);
  void find_memory(const TrainedLayout& trained, const Kernels& kernels);
  void find_stages();
  std::vector<ParameterTile> tiles_of_all(std::size_t first) const;
  void cut_tiles();
  // Whether a step runs backward: it has the gradient of its output, or a constant output.
  bool runs_back(const Step& s) const;
};

}  // namespace nncore

// A compiled model: plan, variables and arena, and the passes over them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../runtime/memory.hpp"
#include "objective.hpp"
#include "optimizer.hpp"
#include "parameters.hpp"
#include "plan.hpp"
#include "source.hpp"
#include "variables.hpp"

namespace nncore {

// Rows order[start:stop] of x, y and weights, in batches. order null: 0, 1, 2, ...
struct Samples {
  const Source* x = nullptr;
  const Source* y = nullptr;
  const float* weight = nullptr;
  const std::int64_t* order = nullptr;
  std::size_t start = 0, stop = 0;
  std::size_t batch_size = 0;

  std::size_t row(std::size_t position) const {
    return order ? static_cast<std::size_t>(order[position]) : position;
  }
};

// Not safe for calls at the same time: the caller locks `store` around each but the constructor.
class Network {
 public:
  // variables: of each layer, which other networks may hold as well; their stores become one. Null: new ones.
  Network(Shape input, std::vector<Spec> specs, bool fuse,
          std::vector<std::shared_ptr<Variables>> variables = {});

  Store& store() const { return *store_; }
  const std::vector<std::shared_ptr<Variables>>& variables() const { return variables_; }

  const Shape& input() const { return input_; }
  const Shape& output() const { return output_; }
  const std::vector<Place>& places() const { return plan_->places(); }
  std::vector<std::string> step_labels() const;
  std::size_t layer_count() const { return specs_.size(); }

  // What can be copied: "parameters", "gradients", then the optimizer's moments. Throws
  // std::invalid_argument for others.
  std::vector<std::string> buffer_names() const;
  // Floats of a flat copy. The same for every plan, so it may be asked without the lock.
  std::size_t flat_size() const { return flat_size_; }
  // flat_size() values, each parameter in the user's layout at its place. Gradients and moments are those of
  // trained parameters alone: others read as zero, and are not written.
  void read(const std::string& name, float* values) const;
  void write(const std::string& name, const float* values);

  // On an exception the network is as it was.
  void compile(const std::optional<Spec>& loss, const std::vector<Spec>& metrics,
               const std::vector<Spec>& weighted_metrics, const std::optional<Spec>& optimizer,
               const std::vector<bool>& trainable);
  // Throw std::invalid_argument for arrays that this network cannot take; check reads all class numbers as
  // well.
  void check(const Source& x, const Source* y) const;
  void check_targets(const Source& y, std::size_t samples) const { objective_->check_shape(y, samples); }

  // Work through samples until `seconds` have passed, about, and at least one batch; return the position
  // reached. Throw Stopped where the call is stopped (parallel.hpp): the batch at work then changes nothing.
  std::size_t train(const Samples& samples, double seconds, Sums& sums);
  std::size_t test(const Samples& samples, double seconds, Sums& sums);
  // out: (samples.stop, output size)
  std::size_t predict(float* out, const Samples& samples, double seconds);
  // One batch, samples.start to samples.stop, forward and backward without an update: the loss. Only then
  // does the buffer "gradients" hold those of this batch.
  double gradients(const Samples& samples);
  // One batch as in training, without the way back.
  void forward(float* out, const Samples& samples);

  std::uint64_t seed = 0, iterations = 0;
  float learning_rate() const;
  void set_learning_rate(float rate);

 private:
  // Where the values and gradients of one boundary between steps lie in the arena. Views share a boundary. A
  // gradient that pass 2 does not read again lies in the worker's scratch.
  struct Boundary {
    std::size_t size = 0;  // floats a sample
    std::size_t value = 0, gradient = 0;
    bool needs_gradient = false, lasting = false;
  };
  struct StepMemory {
    std::size_t in = 0, out = 0;  // boundaries in training
    std::size_t kept = 0, kept_size = 0, replica = 0;
    std::size_t sums = 0, sums_size = 0;  // in the arena and floats of the gradient of each chunk
    std::size_t parameter_floats = 0;
    float* values = nullptr;     // of the parameters, by refresh()
    std::size_t trained_at = 0;  // of their gradients and moments in buffers of these
    bool trained = false;        // has parameters that train
    std::uint64_t packed = 0;    // Variables::version() that the packed weights were made from
  };
  struct TileTask {
    std::size_t step;
    ParameterTile tile;
  };

  // Where the gradients and moments of trained layers lie in buffers of their own.
  struct TrainedLayout {
    std::vector<std::size_t> at;  // of each spec
    std::size_t size = 0;
  };
  void own_variables(const Plan& plan);
  TrainedLayout trained_layout(const std::vector<bool>& trainable) const;
  const Buffer* trained_buffer(const std::string& name) const;  // null for "parameters"
  void adopt(std::unique_ptr<Plan> plan, std::unique_ptr<Objective> objective);
  void find_boundaries();
  void find_updates();
  void cut_tiles();
  // To be called first by each call: makes what the variables' versions show to be out of date.
  void refresh() {
    const Store& now = store_->current();
    if (now.version != seen_version_ || now.moves != seen_moves_) catch_up(now);
  }
  void catch_up(const Store& now);
  void mark_trained();
  void replicate(std::size_t number, const Tile& tile);  // of one step
  void lay_out_arena(std::size_t batch);
  void lay_out_results(std::size_t batch);
  void lay_out_scratch(int workers, std::size_t floats);
  float* scratch_of(int worker) { return scratch_.data() + static_cast<std::size_t>(worker) * scratch_size_; }

  void check_order(const Samples& s, std::size_t start, std::size_t stop) const;
  void require(bool present, const char* what) const;
  std::size_t sample_cost() const { return sample_work_ + size_of(input_) + 1; }
  int threads_for_training(const Samples& s) const;
  int threads_for_inference(const Samples& s) const;
  std::size_t inference_chunk(std::size_t batch) const;
  std::size_t training_chunk(std::size_t batch) const;
  Objective::Result result_at(std::size_t first);

  float* gradient_at(std::size_t boundary, std::size_t first, float* scratch);
  Chunk chunk(std::size_t step, std::size_t first, std::size_t count, float* scratch);
  void forward_chunk(std::size_t first, std::size_t count, float* scratch);
  void backward_chunk(std::size_t first, std::size_t count, float* scratch);
  const float* infer_chunk(const Samples& s, std::size_t position, std::size_t count, float* scratch);
  void read_targets(const Samples& s, std::size_t start, std::size_t count);
  void sample_pass(const Samples& s, std::size_t start, std::size_t count, bool with_loss);
  // Pass 2 takes each tile from its gradient to its update in one go.
  bool is_fused(std::size_t count) const;
  void parameter_pass(std::size_t count, bool with_update);
  void tile_gradient(const TileTask& task, std::size_t count, float* gradient, std::size_t row,
                     float* scratch);
  void update(float* values, std::size_t at, const float* gradient, std::size_t n);
  void test_pass(const Samples& s, std::size_t start, std::size_t count);
  double batch_loss(std::size_t count) const;
  void check_sums(Sums& sums) const;
  void add_metrics(const Samples& s, std::size_t count, Sums& sums) const;

  const Kernels& kernels_;
  Shape input_, output_;
  std::vector<Spec> specs_;
  bool fuse_;
  std::unique_ptr<Plan> plan_;
  std::unique_ptr<Objective> objective_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<bool> trainable_;

  std::vector<StepMemory> memory_;
  std::vector<Boundary> boundaries_;
  std::vector<TileTask> tiles_;
  // Runs of trained values that lie side by side, as do their gradients and moments from `at` on.
  struct UpdateRun {
    float* values;
    std::size_t at, floats;
  };
  std::vector<UpdateRun> updates_;
  std::vector<std::size_t> runs_;  // of tiles that are enough work to share, about equal: starts, and the end
  std::vector<std::shared_ptr<Variables>> variables_;  // of each spec
  std::shared_ptr<Store> store_;
  std::uint64_t seen_version_ = 0, seen_moves_ = 0;  // of the store, by refresh()
  std::size_t flat_size_ = 0;
  TrainedLayout trained_;
  Buffer gradients_, replica_;
  std::vector<Buffer> moments_;

  std::size_t sample_floats_ = 0;  // of values and gradients in the arena, for one sample
  std::size_t sample_work_ = 0;    // multiply-adds forward, for one sample
  std::size_t widest_ = 0;         // floats of the widest boundary
  std::size_t layer_scratch_ = 0;  // floats that products and the neediest layer want
  std::size_t tile_floats_ = 0;    // of the largest tile
  std::size_t passing_ = 0;        // floats a sample of the widest gradient that does not last
  std::size_t passing_slot_ = 0;   // floats of each of the two places for these in a worker's scratch
  std::size_t chunk_size_ = 0;     // samples in each chunk of the last pass 1; the last may have less
  std::size_t chunked_batch_ = 0;  // samples in the batch of the last pass 1
  std::uint64_t step_key_ = 0;     // of random numbers, in the last pass 1
  std::size_t arena_batch_ = 0, results_batch_ = 0;
  Buffer arena_, results_, scratch_;
  std::size_t scratch_size_ = 0;  // floats of one worker
  std::size_t target_ = 0, weight_ = 0, value_ = 0, scale_ = 0, activation_ = 0, loss_ = 0, mean_ = 0,
              code_ = 0;  // in results_
};

}  // namespace nncore

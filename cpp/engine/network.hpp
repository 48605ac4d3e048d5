// A compiled model: graph, variables, plans and arena, and the passes over them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../training/optimizer.hpp"
#include "../training/rules.hpp"
#include "../training/weights.hpp"
#include "batch_memory.hpp"
#include "program.hpp"
#include "samples.hpp"

namespace nncore {

// Not safe for calls at the same time: the caller locks `store` around each but the constructor.
class Network {
 public:
  // variables: of each layer, which other networks may hold as well; their stores become one. None: new ones,
  // for which no size of the inputs may be open. input_gradients: as `backward` needs.
  Network(Graph graph, bool fuse, std::vector<std::shared_ptr<Variables>> variables = {},
          bool input_gradients = false);

  Store& store() const { return weights_.store(); }
  const Weights& weights() const { return weights_; }

  const Graph& graph() const { return graph_; }
  // For samples of these shapes.
  std::vector<Shape> output_shapes(const std::vector<Shape>& inputs);
  // Those of a graph without open sizes; else none. Never changes, so it may be asked without the lock.
  const std::vector<Shape>& output_shapes() const { return output_shapes_; }
  // What the last plan runs, in training or at inference; none before the first.
  std::vector<std::string> step_labels(bool inference) const;

  // What can be copied: "parameters", "gradients", then the optimizer's moments and what its rules keep.
  // Throws std::invalid_argument for others.
  std::vector<std::string> buffer_names() const;
  // Weights::flat_size() values, each parameter in the user's layout at its place. Gradients and moments are
  // those of trained parameters alone: others read as zero, and are not written.
  void read(const std::string& name, float* values) const;
  void write(const std::string& name, const float* values);

  // On an exception the network is as it was.
  void compile(const std::vector<Judged>& outputs, const std::optional<Spec>& optimizer,
               const std::vector<bool>& trainable, const std::vector<WeightRule>& regularizers = {},
               const std::vector<WeightRule>& constraints = {}, const Spec& rules = {},
               const std::vector<bool>& decays = {});
  // Says what trains, where no optimizer has done so.
  void freeze(const std::vector<bool>& trainable);
  // Throws std::invalid_argument for arrays that this network cannot take; reads all class numbers as well.
  // y may be null.
  void check(const Source* x, const Source* y);

  // Work through samples until `seconds` have passed, about, and at least one batch; return the position
  // reached. Throw std::invalid_argument for shapes that do not fit, and Stopped where the call is stopped
  // (parallel.hpp): the batch at work then changes nothing.
  std::size_t train(const Samples& samples, double seconds, Sums& sums);
  std::size_t test(const Samples& samples, double seconds, Sums& sums);
  // out: of each output (samples.stop, its size)
  std::size_t predict(float* const* out, const Samples& samples, double seconds);
  // One batch, samples.start to samples.stop, forward and backward without an update: the loss. Only then
  // does the buffer "gradients" hold those of this batch. sums: null, or those of a step whose update `apply`
  // makes.
  double gradients(const Samples& samples, Sums* sums = nullptr);
  // The update of the step of the last `gradients`, with Weights::flat_size() values in place of those.
  void apply(const float* gradients);
  // The averages of the optimizer's rules, if there are any, become the parameters.
  void take_averages();
  // One batch as in training, without the way back. Moves the state of layers.
  void forward(float* const* out, const Samples& samples);
  // One batch as in training and back: dx of each input from dy of each output (samples.stop, its size). Then
  // the buffer "gradients" holds those of the parameters.
  void backward(float* const* dx, const float* const* dy, const Samples& samples);
  // The same of a network of one call over the user's arrays, whose parameters are those of the call.
  // training: by the batch and random numbers. gradients: of each parameter that trains.
  void forward(const ArrayCall& call, float* y, bool training);
  void backward(const ArrayCall& call, const float* dy, float* dx, const std::vector<float*>& gradients);
  std::size_t floats() const;  // of memory, where there is one layer
  void reset(Sums& sums) const { sums = programs_.current() ? program().empty : Sums{}; }

  std::uint64_t seed = 0, iterations = 0;
  float learning_rate() const;
  void set_learning_rate(float rate);

 private:
  const Buffer* trained_buffer(const std::string& name) const;  // null for "parameters"
  std::unique_ptr<Program> program_for(std::vector<Shape> inputs, const std::vector<Judged>& judged,
                                       const TrainedLayout& trained) const;
  void use(std::vector<Shape> inputs);
  // To be called first by each call that works on samples: the plan for their shapes, with what the
  // variables' versions show to be out of date made anew.
  void refresh(const Source* x, bool inference) {
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i)
      if (!programs_.current() || x[i].row_shape() != plan().inputs[i]) {
        use(shapes_of(x));
        break;
      }
    catch_up(inference);
  }
  void catch_up(bool inference) {
    const Store& now = weights_.store().current();
    Plan& plan = inference ? program().inference() : program().plan;
    if (now.version != plan.seen_version || now.moves != plan.seen_moves) catch_up(plan, now);
  }
  std::vector<Shape> shapes_of(const Source* x) const;
  // arrays: null, or the parameters of the only layer, still to be copied from there.
  void catch_up(Plan& plan, const Store& now, const float* const* arrays = nullptr);
  void copy_tile(const ParameterTile& tile, const float* from);
  void load(const ArrayCall& call);
  int threads_for(const ArrayCall& call, std::size_t work) const;
  bool is_current(const Step& step) const;
  void fold(Plan& plan, Step& step);
  void mark_trained();
  void find_updates();
  void lay_out_arena(std::size_t batch);
  void lay_out_results(std::size_t batch);

  void check_targets(const Samples& s) const;
  void check_order(const Samples& s, std::size_t start, std::size_t stop) const;
  void require(bool present, const char* what) const;

  std::size_t sample_cost() const { return plan().sizes.sample_work + plan().storages[0].size + 1; }
  int threads_for_training(const Samples& s) const;
  int threads_for_inference(const Samples& s) const;
  std::size_t inference_chunk(std::size_t batch) const;
  std::size_t training_chunk(const Stage& stage, std::size_t batch) const;

  Program& program() const { return *programs_.current(); }
  Plan& plan() const { return program().plan; }
  Plan& inference() const { return program().inference(); }
  bool has_loss() const { return std::ranges::any_of(program().objectives, &Objective::has_loss); }
  const float* value_at(const Plan& p, std::size_t storage, std::size_t first) const {
    const Storage& s = p.storages[storage];
    return memory_.arena.data() + s.value + first * s.size;
  }
  float* gradient_at(const Plan& p, std::size_t storage, std::size_t first, float* scratch);
  Chunk chunk(const Plan& p, const Step& step, std::size_t first, std::size_t count, float* scratch);
  template <class Summarize>
  void summarize_chunk(const Step& s, const Stage& stage, Chunk& c, Summarize summarize);
  Partials partials(const Step& s, const Stage& stage, std::size_t count);
  void forward_chunk(const Plan& p, const Stage& stage, std::size_t first, std::size_t count, float* scratch);
  void backward_chunk(const Plan& p, const Stage& stage, std::size_t first, std::size_t count,
                      float* scratch);
  template <class Body>
  void for_chunks(const Stage& stage, std::size_t count, Body body);
  void judge_chunk(const Samples& s, std::size_t first, std::size_t n, float* scratch, std::size_t count,
                   const float* const* dy);
  void save_statistics();
  void move_state(const float* saved = nullptr);
  void infer_chunk(const Samples& s, std::size_t position, std::size_t count, float* scratch);
  template <class Body>
  void infer_batch(const Samples& s, std::size_t start, std::size_t count, Body body);
  void read_targets(const Samples& s, std::size_t start, std::size_t count);
  void evaluate_chunk(const Samples& s, std::size_t output, const float* y, float* gradient,
                      std::size_t first, std::size_t count, float scale) {
    program().objectives[output].evaluate(kernels_, memory_.results.data(), program().results[output],
                                          s.weight && s.weight[output], first, count, y, gradient, scale);
  }
  // As evaluate_chunk, of a value that is penalized; outputs have the numbers before.
  void penalize_chunk(std::size_t output, const float* y, float* gradient, std::size_t first,
                      std::size_t count, float scale);
  void write_output(std::size_t output, float* to, const float* y, std::size_t count) const;
  void sample_pass(const Samples& s, std::size_t start, std::size_t count, bool goes_back,
                   const float* const* dy = nullptr);
  // Pass 2 takes each tile from its gradient to its update in one go.
  bool is_fused(std::size_t count) const;
  void parameter_pass(std::size_t count, bool with_update);
  void tile_gradient(const Plan& p, const TileTask& task, std::size_t count, float* gradient, std::size_t row,
                     float* scratch);
  void step_gradient(const Plan& p, const Step& step, const ParameterTile& t, std::size_t count,
                     float* gradient, std::size_t row, float* scratch);
  void pack_all(Plan& plan, const TileTask& task);
  void update_all();
  void update(float* values, std::size_t at, const float* gradient, std::size_t n, bool decays = true);
  void find_pieces();
  void find_scales();
  bool apply_rules();
  // Whether something needs all gradients before the update, or all weights after it.
  bool updates_by_pieces() const { return rules_.any() || !penalties_.empty(); }
  double output_loss(std::size_t output, std::size_t count) const;
  double batch_loss(std::size_t count) const;
  [[gnu::cold]] double penalties(std::size_t count) const;
  static Sums empty_sums(const std::vector<Objective>& objectives);
  void check_sums(Sums& sums) const;
  void add_metrics(const Samples& s, std::size_t count, Sums& sums) const;

  const Kernels& kernels_;
  Graph graph_;
  std::vector<Shape> output_shapes_;
  bool fuse_;
  std::vector<Judged> judged_;  // the outputs
  std::unique_ptr<Optimizer> optimizer_;

  Programs programs_;
  Weights weights_;
  BatchMemory memory_;

  Penalties penalties_;
  bool penalizes_ = false;  // weights or values, or constrains weights
  double penalty_ = 0.0;    // of the weights, as they were before the last update
  Rules rules_;
  Buffer saved_statistics_;  // of BatchStatistics, from `gradients` to `apply`
  std::vector<Shape> saved_inputs_;

  std::uint64_t step_key_ = 0;  // of random numbers, in the last pass 1
};

}  // namespace nncore

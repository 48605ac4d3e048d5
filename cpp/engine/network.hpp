// A compiled model: graph, variables, plans, batch memory, and the passes over them.
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

// Not thread-safe: the caller locks `store` around each call except the constructor.
class Network {
 public:
  // variables: one item for each layer; other networks may use them too, and the stores are then joined.
  // Empty: new variables, which need inputs without open sizes. input_gradients: needed by `backward`.
  Network(Graph graph, bool fuse, std::vector<std::shared_ptr<Variables>> variables = {},
          bool input_gradients = false);

  Store& store() const { return weights_.store(); }
  const Weights& weights() const { return weights_; }

  const Graph& graph() const { return graph_; }
  // The shapes of the outputs for samples of these shapes.
  std::vector<Shape> output_shapes(const std::vector<Shape>& inputs);
  // The same for a graph without open sizes, else empty. Never changes, so no lock is needed.
  const std::vector<Shape>& output_shapes() const { return output_shapes_; }
  // The steps of the last plan, in training or at inference. Empty before the first plan.
  std::vector<std::string> step_labels(bool inference) const;

  // The buffers that can be copied: "parameters", "gradients", then those of the optimizer and of its rules.
  std::vector<std::string> buffer_names() const;
  // Copy Weights::flat_size() values, each parameter in the user's layout. Gradients and moments of untrained
  // parameters read as zero and are not written. Throw std::invalid_argument for an unknown name.
  void read(const std::string& name, float* values) const;
  void write(const std::string& name, const float* values);

  // On an exception the network does not change.
  void compile(const std::vector<Judged>& outputs, const std::optional<Spec>& optimizer,
               const std::vector<bool>& trainable, const std::vector<WeightRule>& regularizers = {},
               const std::vector<WeightRule>& constraints = {}, const Spec& rules = {},
               const std::vector<bool>& decays = {});
  // Sets which layers train, unless there is an optimizer.
  void freeze(const std::vector<bool>& trainable);
  // Throws std::invalid_argument for arrays that do not fit, and for unknown class numbers. y may be null.
  void check(const Source* x, const Source* y);

  // Process batches until about `seconds` have passed, and at least one. Return the position reached. Throw
  // std::invalid_argument for shapes that do not fit, and Stopped if the call is stopped (parallel.hpp): the
  // current batch then changes nothing.
  std::size_t train(const Samples& samples, double seconds, Sums& sums);
  std::size_t test(const Samples& samples, double seconds, Sums& sums);
  // out: of each output (samples.stop, its size)
  std::size_t predict(float* const* out, const Samples& samples, double seconds);
  // The loss of one batch, samples.start to samples.stop, forward and backward without an update. The buffer
  // "gradients" then holds its gradients. sums: null, or the sums of a step that `apply` completes.
  double gradients(const Samples& samples, Sums* sums = nullptr);
  // The update of the step of the last `gradients`, with these Weights::flat_size() gradients.
  void apply(const float* gradients);
  // Copies the averages of the optimizer's rules, if there are any, to the parameters.
  void take_averages();
  // Forward of one batch as in training. Updates the state of layers.
  void forward(float* const* out, const Samples& samples);
  // Forward and backward of one batch: dx of each input from dy of each output (samples.stop, its size). The
  // buffer "gradients" then holds the gradients of the parameters.
  void backward(float* const* dx, const float* const* dy, const Samples& samples);
  // The same on the user's arrays, for a network of one call. training: use random numbers and statistics of
  // the batch. gradients: of each trainable parameter.
  void forward(const ArrayCall& call, float* y, bool training);
  void backward(const ArrayCall& call, const float* dy, float* dx, const std::vector<float*>& gradients);
  std::size_t floats() const;  // of all memory, for a network of one layer
  void reset(Sums& sums) const { sums = programs_.current() ? program().empty : Sums{}; }

  std::uint64_t seed = 0, iterations = 0;
  float learning_rate() const;
  void set_learning_rate(float rate);

 private:
  const Buffer* trained_buffer(const std::string& name) const;  // null for "parameters"
  std::unique_ptr<Program> program_for(std::vector<Shape> inputs, const std::vector<Judged>& judged,
                                       const TrainedLayout& trained) const;
  void use(std::vector<Shape> inputs);
  // Selects the plan for the samples of a call and updates its packed and folded weights.
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
  // arrays: null, or the parameters of the only layer, which are copied.
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
  void set_factors(const Samples& s, std::size_t count);
  // Counts the rows that the masks leave in a batch, after pass 1 has computed the masks.
  void count_rows(const Samples& s, std::size_t count);
  // Throws std::invalid_argument if a layer has refused a value; `start`: of the batch that it counts from.
  void throw_if_refused(const Samples& s, std::size_t start) {
    if (refusals_.any()) throw_refused(s.row(start + refusals_.sample()));
  }
  [[noreturn, gnu::cold]] void throw_refused(std::size_t row) {
    throw std::invalid_argument(refusals_.take() + " of sample " + std::to_string(row));
  }
  // mask: of the rows of these samples, or null
  void evaluate_chunk(const Samples& s, std::size_t output, const float* y, const float* mask,
                      float* gradient, std::size_t first, std::size_t count, float scale) {
    program().objectives[output].evaluate(kernels_, memory_.results.data(), program().results[output],
                                          s.weight && s.weight[output], mask, first, count, y, gradient,
                                          scale);
  }
  // The same for a penalized value. Their numbers follow those of the outputs.
  void penalize_chunk(std::size_t output, const float* y, float* gradient, std::size_t first,
                      std::size_t count, float scale);
  void write_output(std::size_t output, float* to, const float* y, std::size_t count) const;
  void sample_pass(const Samples& s, std::size_t start, std::size_t count, bool goes_back,
                   const float* const* dy = nullptr);
  // Whether pass 2 updates each tile right after its gradient.
  bool is_fused(std::size_t count) const;
  void parameter_pass(std::size_t count, bool with_update);
  void tile_gradient(const Plan& p, const TileTask& task, std::size_t count, float* gradient, std::size_t row,
                     float* scratch);
  void step_gradient(const Plan& p, const Step& step, const ParameterTile& t, std::size_t count,
                     float* gradient, std::size_t row, float* scratch);
  void before_gradients(std::size_t count);
  void pack_all(Plan& plan, const TileTask& task);
  void update_all();
  void update(float* values, std::size_t at, const float* gradient, std::size_t n, bool decays = true);
  void find_pieces();
  void find_scales();
  bool apply_rules();
  // Whether rules need all gradients before the update, or constraints all weights after it.
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
  Refusals refusals_;

  Penalties penalties_;
  bool penalizes_ = false;  // weights or values are penalized, or weights constrained
  double penalty_ = 0.0;    // of the weights before the last update
  Rules rules_;
  Buffer saved_statistics_;  // of BatchStatistics, from `gradients` to `apply`
  std::vector<Shape> saved_inputs_;

  std::uint64_t step_key_ = 0;  // of the random numbers of the last pass 1
};

}  // namespace nncore

// Calls that run a network outside training. Values stay in the scratch of a worker.
#include <algorithm>
#include <array>

#include "../runtime/parallel.hpp"
#include "batches.hpp"
#include "network.hpp"

namespace nncore {

// A batch of one chunk runs on one thread.
int Network::threads_for_inference(const Samples& s) const {
  const std::size_t batch = std::min(s.batch_size, s.stop - s.start);
  return batch * inference().sizes.sample_work < kTeamWork || inference_chunk(batch) == batch
             ? 1
             : get_num_threads();
}

std::size_t Network::inference_chunk(std::size_t batch) const {
  return chunk_size(inference().sizes.infer_floats, weights_.flat_size(), batch,
                    batch * inference().sizes.sample_work, inference().sizes.least_samples);
}

// Runs a chunk forward, without activations that are computed by the objectives. Values stay in scratch.
void Network::infer_chunk(const Samples& s, std::size_t position, std::size_t count, float* scratch) {
  const Plan& p = inference();
  float *values = scratch + p.sizes.layer_scratch, *layer_scratch = scratch + aligned(kernels_.gemm_scratch);
  for (std::size_t i = 0; i < p.inputs.size(); ++i)
    s.x[i].read(values + p.infer_values.at(i), s.order, position, count);
  for (const Step& step : p.steps) {
    if (!step.inference.runs()) continue;
    std::array<const float*, kMostInputs> xs;
    const std::size_t inputs = step.inference.in.size();
    for (std::size_t i = 0; i < inputs; ++i) xs[i] = values + p.infer_values.at(step.inference.in[i]);
    step.layer->forward({.kernels = kernels_,
                         .samples = count,
                         .first = position,
                         .key = 0,
                         .training = false,
                         .parameters = step.values,
                         .packed = p.packed.data() + step.packing.at,
                         .scratch = layer_scratch,
                         .gemm_scratch = scratch,
                         .saved = nullptr,
                         .x = xs[0],
                         .y = values + p.infer_values.at(step.inference.out),
                         .xs = xs.data(),
                         .refusals = &refusals_});
  }
}

// Runs a batch forward and calls body(first, count, values) after each chunk.
template <class Body>
void Network::infer_batch(const Samples& s, std::size_t start, std::size_t count, Body body) {
  const std::size_t size = inference_chunk(count), chunks = (count + size - 1) / size;
  inference().infer_values.fit(size);
  refusals_.take();
  memory_.lay_out_scratch(team_size(), inference().sizes.layer_scratch + inference().infer_values.size());
  run_pass(chunks, count * inference().sizes.sample_work, [&](std::size_t task, int worker) {
    const std::size_t first = task * size, n = std::min(size, count - first);
    infer_chunk(s, start + first, n, memory_.scratch_of(worker));
    body(first, n, memory_.scratch_of(worker) + inference().sizes.layer_scratch);
  });
  throw_if_refused(s, 0);
}

std::size_t Network::test(const Samples& samples, double seconds, Sums& sums) {
  refresh(samples.x, true);
  check_targets(samples);
  require(has_loss() || std::ranges::any_of(program().objectives, &Objective::has_metrics), "a loss");
  check_sums(sums);
  penalty_ = penalties_.evaluate(kernels_, nullptr);
  return for_batches(
      samples, seconds, threads_for_inference(samples), sample_cost(),
      [&](std::size_t position, std::size_t count) {
        read_targets(samples, position, count);
        infer_batch(samples, position, count, [&](std::size_t first, std::size_t n, const float* values) {
          const auto mask_of = [&](const Output& output) {
            return output.infer_mask == kNoMask ? nullptr
                                                : values + inference().infer_values.at(output.infer_mask);
          };
          for (std::size_t o = 0; o < inference().outputs.size(); ++o) {
            const float* const y = values + inference().infer_values.at(inference().outputs[o].infer_storage);
            if (samples.out && o < judged_.size())
              write_output(o, samples.out[o] + first * size_of(inference().outputs[o].shape), y, n);
            if (o < judged_.size())
              evaluate_chunk(samples, o, y, mask_of(inference().outputs[o]), nullptr, first, n, 1.0f);
            else
              penalize_chunk(o, y, nullptr, first, n, 1.0f);
          }
        });
        set_factors(samples, count);
        add_metrics(samples, count, sums);
        return true;
      });
}

std::size_t Network::predict(float* const* out, const Samples& samples, double seconds) {
  refresh(samples.x, true);
  return for_batches(
      samples, seconds, threads_for_inference(samples), sample_cost(),
      [&](std::size_t position, std::size_t count) {
        infer_batch(samples, position, count, [&](std::size_t first, std::size_t n, const float* values) {
          for (std::size_t o = 0; o < judged_.size(); ++o) {
            const std::size_t storage = inference().outputs[o].infer_storage;
            write_output(o, out[o] + (position + first) * inference().infer_storages[storage].size,
                         values + inference().infer_values.at(storage), n);
          }
        });
        return true;
      });
}

// Copies an output, through its last activation if the network ends in logits.
void Network::write_output(std::size_t output, float* to, const float* y, std::size_t count) const {
  const Objective& objective = program().objectives[output];
  const std::size_t size = plan().storages[plan().outputs[output].storage].size;
  if (const ActivationFunction& last = objective.activation(); last.is_linear())
    std::copy_n(y, count * size, to);
  else
    last.forward(kernels_, to, y, count * objective.rows(), size / objective.rows());
}

}  // namespace nncore

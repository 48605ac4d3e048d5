#include "layer.hpp"

namespace nncore {
namespace {

// A layer applied to each step of (steps, ...): steps of a batch lie like samples of a larger one.
class TimeDistributed final : public Layer {
 public:
  TimeDistributed(const Shape& input, Shape output, std::unique_ptr<Layer> layer)
      : Layer(input, std::move(output)), steps_(input[0]), layer_(std::move(layer)) {
    traits_ = layer_->traits();
    traits_.work *= steps_;
    traits_.saved *= steps_;
  }

  std::vector<Parameter> parameters() const override { return layer_->parameters(); }
  void prepare() override { layer_->prepare(); }
  void forward(const Chunk& c) const override { layer_->forward(of_steps(c)); }
  void backward(const Chunk& c) const override { layer_->backward(of_steps(c)); }
  void save(const Chunk& c) const override { layer_->save(of_steps(c)); }
  Shape tile_shape(std::size_t parameter) const override { return layer_->tile_shape(parameter); }
  void before_gradient(std::size_t samples, const float* x, float* saved) const override {
    layer_->before_gradient(samples * steps_, x, saved);
  }
  void gradient(const Batch& b, const Tile& t) const override {
    Batch all = b;
    all.samples *= steps_;
    layer_->gradient(all, t);
  }
  std::size_t packed_size(const Kernels& k, bool for_dx) const override {
    return layer_->packed_size(k, for_dx);
  }
  void pack(const Kernels& k, float* packed, const float* parameters, const Tile& t,
            Readers readers) const override {
    layer_->pack(k, packed, parameters, t, readers);
  }

 private:
  Chunk of_steps(const Chunk& c) const {
    Chunk all = c;
    all.samples *= steps_;
    all.first *= steps_;
    return all;
  }

  std::size_t steps_;
  std::unique_ptr<Layer> layer_;
};

}  // namespace

// layer: the kind of the inner layer; its attributes are those of this one.
std::unique_ptr<Layer> make_time_distributed(const Spec& spec, const Shape& input) {
  if (input.size() < 2 || input[0] == 0)
    spec.fail("expected samples of shape (steps, ...), got " + to_string(input));
  auto layer = make_layer({spec.text("layer"), spec.attributes}, {{input.begin() + 1, input.end()}});
  if (layer->batch_statistics())
    spec.fail("cannot apply " + spec.text("layer") + " step by step, as its statistics are of a batch");
  Shape output = layer->output();
  output.insert(output.begin(), input[0]);
  return std::make_unique<TimeDistributed>(input, std::move(output), std::move(layer));
}

}  // namespace nncore

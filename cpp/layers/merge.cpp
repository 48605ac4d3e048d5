// Layers that make one value of several.
#include <algorithm>

#include "layer.hpp"

namespace nncore {
namespace {

class Add final : public Layer {
 public:
  Add(const Shape& input, std::size_t inputs) : Layer(input, input), inputs_(inputs) {}

  std::size_t work() const override { return inputs_ * output_size(); }
  void forward(const Chunk& c) const override {
    const std::size_t n = c.samples * output_size();
    std::copy_n(c.xs[0], n, c.y);
    for (std::size_t i = 1; i < inputs_; ++i) c.kernels.add(c.y, c.xs[i], n);
  }
  void backward(const Chunk& c) const override {
    for (std::size_t i = 0; i < inputs_; ++i)
      if (c.dxs[i]) std::copy_n(c.dy, c.samples * output_size(), c.dxs[i]);
  }

 private:
  std::size_t inputs_;
};

class Concatenate final : public Layer {
 public:
  // A sample of input i holds `runs` times run[i] elements that lie side by side in the output.
  Concatenate(const Shape& input, Shape output, std::size_t runs, std::vector<std::size_t> run)
      : Layer(input, std::move(output)), runs_(runs), run_(std::move(run)) {}

  void forward(const Chunk& c) const override {
    for_each_run(c, [&](std::size_t i, std::size_t in, std::size_t out) {
      std::copy_n(c.xs[i] + in, run_[i], c.y + out);
    });
  }
  void backward(const Chunk& c) const override {
    for_each_run(c, [&](std::size_t i, std::size_t in, std::size_t out) {
      if (c.dxs[i]) std::copy_n(c.dy + out, run_[i], c.dxs[i] + in);
    });
  }

 private:
  // Calls body(input, start in the input, start in the output).
  template <class Body>
  void for_each_run(const Chunk& c, Body body) const {
    std::size_t out = 0;
    for (std::size_t row = 0; row < c.samples * runs_; ++row)
      for (std::size_t i = 0; i < run_.size(); ++i) {
        body(i, row * run_[i], out);
        out += run_[i];
      }
  }

  std::size_t runs_;
  std::vector<std::size_t> run_;
};

}  // namespace

std::unique_ptr<Layer> make_add(const Spec& spec, const std::vector<Shape>& inputs) {
  for (const Shape& input : inputs)
    if (input != inputs[0])
      spec.fail("expected inputs of one shape, got " + to_string(inputs[0]) + " and " + to_string(input));
  return std::make_unique<Add>(inputs[0], inputs.size());
}

// axis: of a sample, counted from 0, or from the end if it is negative.
std::unique_ptr<Layer> make_concatenate(const Spec& spec, const std::vector<Shape>& inputs) {
  const std::int64_t axes = offset(inputs[0].size()), given = spec.integer("axis");
  if (given < -axes || given >= axes)
    spec.fail("there is no axis " + std::to_string(given) + " in samples of shape " + to_string(inputs[0]));
  const auto axis = static_cast<std::size_t>(given < 0 ? given + axes : given);
  Shape output = inputs[0];
  output[axis] = 0;
  std::vector<std::size_t> run;
  for (const Shape& input : inputs) {
    Shape other = input;
    if (other.size() == output.size()) other[axis] = output[axis];
    if (other != output)
      spec.fail("expected inputs that differ along axis " + std::to_string(axis) + " alone, got " +
                to_string(inputs[0]) + " and " + to_string(input));
    output[axis] += input[axis];
    run.push_back(size_of({input.begin() + offset(axis), input.end()}));
  }
  const std::size_t runs = size_of({output.begin(), output.begin() + offset(axis)});
  return std::make_unique<Concatenate>(inputs[0], std::move(output), runs, std::move(run));
}

}  // namespace nncore

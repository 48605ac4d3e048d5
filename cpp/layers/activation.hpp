// An activation with its settings, shared by the Activation layer and by layers with an `activation` of
// their own.
#pragma once

#include "layer.hpp"

namespace nncore {

struct ActivationFunction {
  Activation kind = Activation::linear;
  Settings settings{};

  const ActivationRow& row() const { return row_of(kind); }
  bool is_linear() const { return kind == Activation::linear; }
  bool needs_input() const { return row().reads == Reads::input; }

  // As ActivationKernels.
  void forward(const Kernels& k, float* y, const float* x, std::size_t rows, std::size_t columns) const {
    k.activation[static_cast<std::size_t>(kind)].forward(y, x, settings.data(), rows, columns);
  }
  void backward(const Kernels& k, float* dx, const float* dy, const float* xy, std::size_t rows,
                std::size_t columns) const {
    k.activation[static_cast<std::size_t>(kind)].backward(dx, dy, xy, settings.data(), rows, columns);
  }
};

// Reads the attribute `activation`, and those that set one of its settings.
ActivationFunction activation_of(const Spec& spec);

// A layer y = f(z) with an activation f, where z is mostly a product with a kernel, plus a bias if there is
// one. The saved activations of a sample are z, if the slope of f reads it, then what else the layer saves.
class ActivatedLayer : public Layer {
 public:
  // bias: its shape, if not that of the last axis of the output.
  ActivatedLayer(const Shape& input, Shape output, Parameter kernel, bool use_bias,
                 const ActivationFunction& activation, Shape bias = {})
      : ActivatedLayer(input, std::move(output), {std::move(kernel)}, activation) {
    if (bias.empty()) bias = {filters_};
    if (use_bias) parameters_.push_back({.name = "bias", .shape = std::move(bias), .units = filters_});
  }
  ActivatedLayer(const Shape& input, Shape output, std::vector<Parameter> parameters,
                 const ActivationFunction& activation)
      : Layer(input, std::move(output)),
        filters_(this->output().back()),
        rows_(output_size() / filters_),
        parameters_(std::move(parameters)),
        activation_(activation) {
    traits_.saved = saved_z();
    traits_.writes_dz = !activation_.is_linear();
  }

  std::vector<Parameter> parameters() const final { return parameters_; }
  void save(const Chunk& c) const override {
    if (!activation_.is_linear()) forward(c);
  }

 protected:
  bool use_bias() const { return parameters_.size() > 1; }
  std::size_t kernel_size() const { return size_of(parameters_[0].shape); }
  const float* bias(const Chunk& c) const { return use_bias() ? c.parameters + kernel_size() : nullptr; }
  std::size_t saved_z() const { return activation_.needs_input() ? output_size() : 0; }

  // The memory of z of one sample. forward writes z, then calls activate.
  float* z_of(const Chunk& c, std::size_t sample) const {
    return activation_.needs_input() && c.saved ? c.saved + sample * saved() : c.y + sample * output_size();
  }
  void activate(const Chunk& c, float* y, const float* z, std::size_t rows) const {
    if (!activation_.is_linear()) activation_.forward(c.kernels, y, z, rows, filters_);
  }
  // Writes dz and returns it; returns dy if f is linear.
  const float* activation_gradient(const Chunk& c) const {
    if (activation_.is_linear()) return c.dy;
    // z of the samples is contiguous only if nothing else is saved.
    const std::size_t runs = saved_z() < saved() ? c.samples : 1, rows = runs > 1 ? rows_ : c.samples * rows_;
    for (std::size_t i = 0; i < runs; ++i)
      activation_.backward(c.kernels, c.dz + i * rows * filters_, c.dy + i * rows * filters_, z_of(c, i),
                           rows, filters_);
    return c.dz;
  }

  std::size_t filters_,  // or units
      rows_;             // of a sample

 private:
  std::vector<Parameter> parameters_;
  ActivationFunction activation_;
};

constexpr const char* kActivation = "activation";
inline bool has_activation(const Spec& spec) { return spec.attributes.count(kActivation) > 0; }
// The layer with the activation of `from`, and with a linear one.
Spec with_activation(Spec spec, const Spec& from);
Spec without_activation(Spec spec);
// "dense+relu" for example; for an activation layer the name of the activation.
std::string label_of(const Spec& spec);

}  // namespace nncore

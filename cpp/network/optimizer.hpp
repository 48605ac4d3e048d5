// An optimizer: hyper-parameters, the names of its moment buffers, and the update of a run of parameters.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../kernels/kernels.hpp"
#include "../layers/attributes.hpp"

namespace nncore {

constexpr std::size_t kMostMoments = 2;

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  virtual const std::vector<std::string>& moments() const = 0;
  // Before the updates of step number `step`, counted from 1.
  virtual void begin(std::uint64_t step) = 0;
  // moment: one pointer for each of moments(), at the same place as w.
  virtual void update(const Kernels& k, float* w, float* const* moment, const float* gradient,
                      std::size_t n) const = 0;

  float learning_rate = 0.0f;
};

// Kinds: "adam" (Kingma and Ba 2015) and "sgd". Throws std::invalid_argument that starts with "[kind]".
std::unique_ptr<Optimizer> make_optimizer(const Spec& spec);

}  // namespace nncore

// What happens to the gradient between a batch and the optimizer's update, and to the weights after it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../core/spec.hpp"
#include "../runtime/memory.hpp"

namespace nncore {

constexpr std::size_t kRuleWork = 24;  // multiply-adds that the update of a parameter is worth, about

// A run of floats of one trained variable. How variables are cut depends on their sizes alone.
struct Piece {
  std::size_t variable;  // number among those that train
  float* values;
  std::size_t at, floats;  // of its gradient and moments
  bool decays;
};

// The arguments that all optimizers have in common, as in Keras, and what they need between two steps.
struct Rules {
  Rules() = default;
  // A spec without attributes: none. decays: of each place, or none where all decay. floats: of the trained
  // variables.
  Rules(const Spec& spec, std::vector<bool> decays, std::size_t floats);

  bool any() const { return any_; }
  // By their names in files.
  std::vector<std::pair<std::string, const Buffer*>> buffers() const;
  bool has_norms() const { return clipnorm > 0.0 || global_clipnorm > 0.0; }
  std::uint64_t updates(std::uint64_t iterations) const { return iterations / micro_steps; }

  double clipnorm = 0.0, global_clipnorm = 0.0;  // 0: none
  float clipvalue = 0.0f;
  bool averages = false;
  double momentum = 0.0;              // of the averages
  std::uint64_t overwrite_every = 0;  // updates, or 0: never
  std::uint64_t micro_steps = 1;      // whose gradients are averaged for one update
  std::vector<bool> decays;

  Buffer average, accumulator;
  std::vector<Piece> pieces;    // those of a variable one after the other
  std::vector<double> squares;  // sum of each piece
  std::vector<float> scales;    // of the gradient of each variable

 private:
  bool any_ = false;
};

}  // namespace nncore

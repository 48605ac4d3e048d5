// Rules between gradient and update (accumulation, clipping), and after the update (averages of weights).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../core/spec.hpp"
#include "../runtime/memory.hpp"

namespace nncore {

constexpr std::size_t kRuleWork = 24;  // approximate multiply-adds of the update of a parameter

// A run of floats of one trained variable. Pieces depend on the sizes of variables alone.
struct Piece {
  std::size_t variable;  // index among the trained variables
  float* values;
  std::size_t at, floats;  // offset and size in gradients and moments
  bool decays;
};

// The arguments that all optimizers share, as in Keras, and their state between steps.
struct Rules {
  Rules() = default;
  // decays: of each parameter, or empty if all do. floats: all trained. No rules without attributes.
  Rules(const Spec& spec, std::vector<bool> decays, std::size_t floats);

  bool any() const { return any_; }
  // Buffers by their names in files.
  std::vector<std::pair<std::string, const Buffer*>> buffers() const;
  bool has_norms() const { return clipnorm > 0.0 || global_clipnorm > 0.0; }
  std::uint64_t updates(std::uint64_t iterations) const { return iterations / micro_steps; }

  double clipnorm = 0.0, global_clipnorm = 0.0;  // 0: none
  float clipvalue = 0.0f;
  bool averages = false;
  double momentum = 0.0;              // of the averages
  std::uint64_t overwrite_every = 0;  // in updates; 0: never
  std::uint64_t micro_steps = 1;      // steps whose gradients are averaged for one update
  std::vector<bool> decays;

  Buffer average, accumulator;
  std::vector<Piece> pieces;    // the pieces of a variable follow each other
  std::vector<double> squares;  // sum of squares of each piece
  std::vector<float> scales;    // of the gradient of each variable

 private:
  bool any_ = false;
};

}  // namespace nncore

// The settings of a recurrent layer, what it saves of a time step, and which products its kernels take part
// in.
#pragma once

#include <utility>
#include <vector>

#include "activation.hpp"

namespace nncore {

enum class Cell { simple_rnn, lstm, gru, gru_before };  // gru_before: the reset comes before the product

struct RecurrentSettings {
  Cell cell;
  std::size_t units;
  ActivationFunction activation, recurrent_activation;
  bool use_bias, sequences, backwards;
  bool joined;  // outputs stand at their time also backwards, with 0 at steps that a mask hides
  bool returns_state;
  float dropout, recurrent_dropout;
};

// The number of states: h, and c of an LSTM.
inline std::size_t states(const RecurrentSettings& s) { return s.cell == Cell::lstm ? 2 : 1; }

inline Shape recurrent_output(std::size_t steps, const RecurrentSettings& s) {
  if (s.returns_state) return {states(s) + (s.sequences ? steps : 0), s.units};
  return s.sequences ? Shape{steps, s.units} : Shape{s.units};
}

// inputs: x (steps, features), and perhaps a mask (steps), whose zeros are steps to skip, and a state
// (states, units). spec.fail if they do not fit, or a setting is wrong.
RecurrentSettings recurrent_settings(Cell cell, const Spec& spec, const std::vector<Shape>& inputs);

// Columns of a kernel, and the rows that they multiply: their offset in a record, or kInput.
struct Part {
  std::size_t column, columns, slot;
  std::uint64_t stream;  // of the random numbers of their dropout
};
constexpr std::size_t kInput = SIZE_MAX;

// The record of a step: z of the gates, which the way back replaces by its gradient, the recurrent part of z
// where it stands apart, the state before the step (c of an LSTM, or h), and the rows that the kernels have
// multiplied where they are not the input or the state. Members are offsets.
struct Record {
  Record(const RecurrentSettings& s, std::size_t inputs)
      : gates(s.cell == Cell::lstm         ? 4
              : s.cell == Cell::simple_rnn ? 1
                                           : 3),
        columns(gates * s.units),
        size(columns) {
    if (s.cell == Cell::gru) part = add(columns);
    state = add(s.units);
    // Where the recurrent kernel is dropped out, each gate has masks of its own.
    const std::size_t count = s.recurrent_dropout > 0 ? gates : 1;
    for (std::size_t i = 0; i < count; ++i) {
      const Part one{i * columns / count, columns / count, kInput, i};
      if (s.dropout > 0) {
        of_x.push_back(one);
        of_x.back().slot = add(inputs);
      }
      of_h.push_back(one);
      of_h.back().stream = gates + i;
      of_h.back().slot = s.cell == Cell::lstm || s.recurrent_dropout > 0 ? add(s.units) : state;
    }
    if (of_x.empty()) of_x.push_back({0, columns, kInput, 0});
    copies = of_h;
    if (s.cell != Cell::gru_before) return;
    Part& last = of_h.back();
    reset = {2 * s.units, s.units, add(s.units), last.stream};
    last.columns -= s.units;
    if (last.columns == 0) of_h.pop_back();
  }

  std::size_t gates, columns, size;
  std::size_t part = 0;  // or 0: the recurrent part is added to z
  std::size_t state = 0;
  std::vector<Part> of_x, of_h;  // the products of the two kernels, without `reset`
  std::vector<Part> copies;      // of h, dropped out
  Part reset{};                  // of gru_before: the product of r * h, the last of the copies

 private:
  std::size_t add(std::size_t floats) { return std::exchange(size, size + floats); }
};

}  // namespace nncore

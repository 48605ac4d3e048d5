// Numbers that a user may choose for an operation.
#pragma once

#include <array>
#include <cstddef>
#include <limits>

namespace nncore {

// A number that a user may choose: in [least, most], or below `most` if `open`.
struct Setting {
  const char* name;
  double initial, least, most;
  bool open;
};
constexpr std::size_t kMostSettings = 4;
using SettingList = std::array<Setting, kMostSettings>;  // those behind the last have no name
using Settings = std::array<float, kMostSettings>;       // values, in the order of the list

constexpr double kAny = std::numeric_limits<double>::infinity();

}  // namespace nncore

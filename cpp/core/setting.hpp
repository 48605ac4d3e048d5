// Numeric settings of operations.
#pragma once

#include <array>
#include <cstddef>
#include <limits>

namespace nncore {

// A number that the user chooses in [least, most], or in [least, most) if `open`.
struct Setting {
  const char* name;
  double initial, least, most;
  bool open;
};
constexpr std::size_t kMostSettings = 4;
using SettingList = std::array<Setting, kMostSettings>;  // the name is null after the last
using Settings = std::array<float, kMostSettings>;       // values, in the order of the list

constexpr double kAny = std::numeric_limits<double>::infinity();  // no bound

}  // namespace nncore

// The settings of one layer, loss or optimizer as the user gave them; they are checked when they are read.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "setting.hpp"
#include "shape.hpp"

namespace nncore {

using Attribute =
    std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>>;

struct Spec {
  std::string kind;
  std::map<std::string, Attribute> attributes;

  [[noreturn, gnu::cold]] void fail(const std::string& text) const {
    throw std::invalid_argument("[" + kind + "] " + text);
  }

  bool flag(const std::string& name) const { return get<bool>(name, "True or False"); }
  const std::string& text(const std::string& name) const { return get<std::string>(name, "a string"); }

  double number(const std::string& name) const {
    if (const auto* i = std::get_if<std::int64_t>(&at(name))) return static_cast<double>(*i);
    return get<double>(name, "a number");
  }
  // The value of a setting; its default if the attribute is missing.
  [[gnu::cold]] double setting(const Setting& s) const {
    const double value = attributes.count(s.name) ? number(s.name) : s.initial;
    if (!std::isfinite(value) || value < s.least || value > s.most || (s.open && value == s.most)) {
      std::ostringstream text;
      text << s.name << " must be in [" << s.least << ", " << s.most << (s.open ? ")" : "]") << ", got "
           << value;
      fail(text.str());
    }
    return value;
  }
  Settings settings(const SettingList& list) const {
    Settings values{};
    for (std::size_t i = 0; i < list.size() && list[i].name; ++i)
      values[i] = static_cast<float>(setting(list[i]));
    return values;
  }
  float single(const std::string& name) const { return static_cast<float>(number(name)); }
  std::size_t positive(const std::string& name) const {
    return positive(name, get<std::int64_t>(name, "an integer"));
  }
  std::pair<std::size_t, std::size_t> positive_pair(const std::string& name) const {
    const auto& values = integers(name);
    if (values.size() != 2) fail(name + " must be a pair of integers");
    return {positive(name, values[0]), positive(name, values[1])};
  }
  // The only one of a sequence.
  std::size_t positive_number(const std::string& name) const { return positive(name, integers(name).at(0)); }
  const std::vector<std::int64_t>& integers(const std::string& name) const {
    return get<std::vector<std::int64_t>>(name, "a sequence of integers");
  }
  std::int64_t integer(const std::string& name) const { return get<std::int64_t>(name, "an integer"); }
  std::vector<double> numbers(const std::string& name) const {
    if (const auto* whole = std::get_if<std::vector<std::int64_t>>(&at(name)))
      return {whole->begin(), whole->end()};
    return get<std::vector<double>>(name, "a sequence of numbers");
  }

 private:
  const Attribute& at(const std::string& name) const {
    const auto found = attributes.find(name);
    if (found == attributes.end()) fail("the attribute " + name + " is missing");
    return found->second;
  }
  template <class T>
  const T& get(const std::string& name, const char* expected) const {
    if (const T* value = std::get_if<T>(&at(name))) return *value;
    fail(name + " must be " + expected);
  }
  // Larger sizes are mistakes; a product of three sizes up to this limit fits 64 bits.
  std::size_t positive(const std::string& name, std::int64_t value) const {
    constexpr std::int64_t kLimit = 1 << 20;
    if (value < 1 || value > kLimit)
      fail(name + " must be between 1 and " + std::to_string(kLimit) + ", got " + std::to_string(value));
    return static_cast<std::size_t>(value);
  }
};

}  // namespace nncore

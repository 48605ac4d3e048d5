// Tools of the kernel tests: reproducible data, guarded arrays, comparison with golden cases, result digests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "../../cpp/kernels/kernels.hpp"

namespace nncore::test {

constexpr std::size_t kSizes[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97};

// An array followed by kSlack floats of NaN, so that a result that depends on them fails; intact() tells that
// they were not written.
class Array {
 public:
  explicit Array(std::size_t size, float value = 0.0f) : size_(size), values_(size + kSlack, value) {
    for (std::size_t i = size; i < values_.size(); ++i) values_[i] = std::numeric_limits<float>::quiet_NaN();
  }
  // Multiples of 2^-20 from [low, high), the same on every machine.
  Array(std::size_t size, std::uint64_t seed, double low, double high) : Array(size) {
    for (std::size_t i = 0; i < size; ++i) {
      std::uint64_t x = (seed << 32) + i + 1;
      x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15u;
      x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
      const double unit = static_cast<double>((x ^ (x >> 32)) >> 44) * 0x1p-20;
      values_[i] = static_cast<float>(low + std::floor(unit * (high - low) * 0x1p20) * 0x1p-20);
    }
  }
  float* data() { return values_.data(); }
  const float* data() const { return values_.data(); }
  std::size_t size() const { return size_; }
  float& operator[](std::size_t i) { return values_[i]; }
  float operator[](std::size_t i) const { return values_[i]; }
  bool intact() const {
    for (std::size_t i = size_; i < values_.size(); ++i)
      if (!std::isnan(values_[i])) return false;
    return true;
  }

 private:
  std::size_t size_;
  std::vector<float> values_;
};

// The first `to` values of each row of `from`.
template <class Values>
Values cut(const Values& a, std::size_t from, std::size_t to) {
  Values first(from == 0 ? 0 : a.size() / from * to);
  for (std::size_t i = 0; i < first.size(); ++i) first[i] = a[i / to * from + i % to];
  return first;
}
// The column counts to test: all of kSizes if `most` is the last of them, else `most`.
inline std::vector<std::size_t> sizes_to(std::size_t most) {
  if (most != std::end(kSizes)[-1]) return {most};
  return {std::begin(kSizes), std::end(kSizes)};
}

// The expected value of a result, and the error that is allowed.
struct Expected {
  double value = 0.0, allowed = 0.0;
};

inline std::ptrdiff_t signed_size(std::size_t n) { return static_cast<std::ptrdiff_t>(n); }
inline void multiply(const Kernels& k, Gemm g) {
  Array scratch(k.gemm_scratch);
  g.scratch = scratch.data();
  k.gemm(g);
}

// A case written by tests/golden.py: inputs and the outputs of the reference.
struct Golden {
  std::string family, name;
  std::size_t rows = 0, columns = 0;
  std::vector<float> settings;
  std::map<std::string, Array> inputs;
  std::map<std::string, std::vector<Expected>> outputs;
  std::size_t setting(std::size_t i) const { return static_cast<std::size_t>(settings[i]); }
};
std::vector<Golden> read_golden(const char* path);  // throws if it cannot

class Report {
 public:
  explicit Report(const Kernels& kernels) : k(kernels) {}
  const Kernels& k;

  // One case of the kernel `name`, described by sizes.
  void compare(const std::string& name, std::initializer_list<std::size_t> sizes, const Array& got,
               const std::vector<Expected>& want) {
    bool good = got.intact() && got.size() == want.size();
    std::string text = got.intact() ? "" : "wrote past the end";
    for (std::size_t i = 0; good && i < want.size(); ++i) {
      const double value = got[i];
      good = value == want[i].value || (std::isnan(value) && std::isnan(want[i].value)) ||
             std::fabs(value - want[i].value) <= want[i].allowed + 1e-37;
      if (!good)
        text = "[" + std::to_string(i) + "] is " + std::to_string(got[i]) + ", expected " +
               std::to_string(want[i].value);
    }
    for (std::size_t i = 0; i < got.size(); ++i) {  // the sign of a NaN depends on the processor
      const float value = std::isnan(got[i]) ? std::numeric_limits<float>::quiet_NaN() : got[i];
      digest(name, &value, sizeof value);
    }
    check(good, name, sizes, text);
  }

  void check(bool good, const std::string& name, std::initializer_list<std::size_t> sizes,
             const std::string& text = "") {
    ++(good ? passed : failed);
    if (good) return;
    std::printf("FAILED %s %s (", k.isa, name.c_str());
    for (std::size_t size : sizes) std::printf(" %zu", size);
    std::printf(" ) %s\n", text.c_str());
  }

  void digest(const std::string& name, const void* data, std::size_t bytes) {
    std::uint64_t& hash = digests.try_emplace(name, 0xcbf29ce484222325u).first->second;
    for (std::size_t i = 0; i < bytes; ++i)
      hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3u;
  }

  int passed = 0, failed = 0;
  std::map<std::string, std::uint64_t> digests;
};

// Calls check(case, index of its row) for the cases of a family; every row must have a case.
template <class Rows, class Check>
void for_each_golden(Report& r, const std::vector<Golden>& cases, const char* family, const Rows& rows,
                     Check check) {
  std::set<std::string> missing;
  for (const auto& row : rows) missing.insert(row.name);
  for (const Golden& c : cases) {
    if (c.family != family) continue;
    missing.erase(c.name);
    const auto row = std::ranges::find_if(rows, [&](const auto& each) { return c.name == each.name; });
    if (row == std::end(rows))
      r.check(false, c.name, {}, "is not a row of the table");
    else
      check(c, static_cast<std::size_t>(row - std::begin(rows)));
  }
  for (const std::string& name : missing) r.check(false, name, {}, "has no golden case");
}

struct Test {
  const char* name;  // of the cases that it runs
  void (*run)(Report& r, const Golden& c);
};
template <std::size_t count>
void run_golden(Report& r, const std::vector<Golden>& cases, const char* family, const Test (&tests)[count]) {
  for_each_golden(r, cases, family, tests, [&](const Golden& c, std::size_t row) { tests[row].run(r, c); });
}

void test_products(Report& r, const std::vector<Golden>& cases);  // gemm, depthwise, sums over rows
void test_activations(Report& r, const std::vector<Golden>& cases);
void test_rows(Report& r, const std::vector<Golden>& cases);         // losses, metrics
void test_elementwise(Report& r, const std::vector<Golden>& cases);  // dropout, noise, optimizers
void test_images(Report& r, const std::vector<Golden>& cases);       // pooling, convolution with pooling
void winograd(Report& r, const Golden& c);

}  // namespace nncore::test

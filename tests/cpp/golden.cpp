#include <fstream>
#include <sstream>
#include <stdexcept>

#include "harness.hpp"

namespace nncore::test {
namespace {

template <class T>
std::vector<T> numbers(std::istream& file, std::size_t count) {
  std::vector<T> values(count);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(T)));
  return values;
}

}  // namespace

std::vector<Golden> read_golden(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<Golden> cases;
  for (std::string line, what, name; std::getline(file, line);) {
    std::istringstream words(line);
    words >> what;
    if (what == "case") {
      Golden& c = cases.emplace_back();
      words >> c.family >> c.name >> c.rows >> c.columns;
      for (std::string number; words >> number;) c.settings.push_back(std::stof(number));
      continue;
    }
    std::size_t size = 0, seed = 0;
    if (!(words >> name >> size) || cases.empty()) throw std::runtime_error("the golden file is damaged");
    if (what == "drawn") {
      words >> seed;
      cases.back().inputs.try_emplace(name, size, seed, -1.0, 1.0);
      continue;
    }
    if (what == "in") {
      Array& a = cases.back().inputs.try_emplace(name, size).first->second;
      std::memcpy(a.data(), numbers<float>(file, size).data(), size * sizeof(float));
    } else {
      const std::vector<double> values = numbers<double>(file, size);
      const std::vector<float> allowed = numbers<float>(file, size);
      for (std::size_t i = 0; i < size; ++i) cases.back().outputs[name].push_back({values[i], allowed[i]});
    }
    file.get();  // the end of the line
    if (!file) throw std::runtime_error("the golden file is truncated");
  }
  if (cases.empty()) throw std::runtime_error("expected a file that tests/golden.py has written");
  return cases;
}

}  // namespace nncore::test

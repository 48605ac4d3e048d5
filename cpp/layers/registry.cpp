#include <algorithm>
#include <array>

#include "families.hpp"

namespace nncore {
namespace {

struct Entry {
  const char* kind;
  std::unique_ptr<Layer> (*make)(const Spec& spec, const Shape& input);
};

constexpr std::array kLayers = {
    Entry{"activation", make_activation},
    Entry{"average_pooling2d", make_average_pooling2d},
    Entry{"conv2d", make_conv2d},
    Entry{"dense", make_dense},
    Entry{"dropout", make_dropout},
    Entry{"flatten", make_flatten},
    Entry{"global_average_pooling2d", make_global_average_pooling2d},
    Entry{"global_max_pooling2d", make_global_max_pooling2d},
    Entry{"max_pooling2d", make_max_pooling2d},
    Entry{"rescaling", make_rescaling},
    Entry{"reshape", make_reshape},
};

}  // namespace

std::unique_ptr<Layer> make_layer(const Spec& spec, const Shape& input) {
  const auto entry =
      std::find_if(kLayers.begin(), kLayers.end(), [&](const Entry& e) { return spec.kind == e.kind; });
  if (entry == kLayers.end()) spec.fail("there is no layer of this kind");
  return entry->make(spec, input);
}

const std::vector<std::string>& layer_kinds() {
  static const std::vector<std::string> kinds = [] {
    std::vector<std::string> names;
    for (const Entry& e : kLayers) names.emplace_back(e.kind);
    return names;
  }();
  return kinds;
}

}  // namespace nncore

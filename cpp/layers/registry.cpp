#include <algorithm>
#include <array>

#include "layer.hpp"

namespace nncore {

// Every kind of layer: its name, and that of its maker after "make_".
#define NNCORE_LAYERS(LAYER)      \
  LAYER(activation)               \
  LAYER(average_pooling2d)        \
  LAYER(conv2d)                   \
  LAYER(dense)                    \
  LAYER(dropout)                  \
  LAYER(flatten)                  \
  LAYER(global_average_pooling2d) \
  LAYER(global_max_pooling2d)     \
  LAYER(max_pooling2d)            \
  LAYER(rescaling)                \
  LAYER(reshape)

#define NNCORE_DECLARE(kind) std::unique_ptr<Layer> make_##kind(const Spec& spec, const Shape& input);
NNCORE_LAYERS(NNCORE_DECLARE)
#undef NNCORE_DECLARE

namespace {

struct Entry {
  const char* kind;
  std::unique_ptr<Layer> (*make)(const Spec& spec, const Shape& input);
};

#define NNCORE_ENTRY(kind) Entry{#kind, make_##kind},
constexpr std::array kLayers = {NNCORE_LAYERS(NNCORE_ENTRY)};
#undef NNCORE_ENTRY

}  // namespace

std::unique_ptr<Layer> make_layer(const Spec& spec, const Shape& input) {
  const auto entry = std::ranges::find_if(kLayers, [&](const Entry& e) { return spec.kind == e.kind; });
  if (entry == kLayers.end()) spec.fail("there is no layer of this kind");
  constexpr std::size_t kMostAxes = 63;  // NumPy's arrays have one more, for the batch
  if (input.size() > kMostAxes)
    spec.fail("expected samples of at most " + std::to_string(kMostAxes) + " axes, got " +
              std::to_string(input.size()));
  return entry->make(spec, input);
}

std::vector<std::string> layer_kinds() {
  std::vector<std::string> kinds;
  for (const Entry& e : kLayers) kinds.emplace_back(e.kind);
  return kinds;
}

}  // namespace nncore

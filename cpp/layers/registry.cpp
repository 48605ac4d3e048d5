#include <algorithm>
#include <array>

#include "layer.hpp"

namespace nncore {

// The kinds of layers with one input. make_<kind> makes one.
#define NNCORE_LAYERS(LAYER)      \
  LAYER(activation)               \
  LAYER(alpha_dropout)            \
  LAYER(average_pooling2d)        \
  LAYER(batch_normalization)      \
  LAYER(center_crop)              \
  LAYER(conv2d)                   \
  LAYER(conv2d_transpose)         \
  LAYER(cropping)                 \
  LAYER(dense)                    \
  LAYER(dropout)                  \
  LAYER(embedding)                \
  LAYER(flatten)                  \
  LAYER(gaussian_dropout)         \
  LAYER(gaussian_noise)           \
  LAYER(global_average_pooling2d) \
  LAYER(global_max_pooling2d)     \
  LAYER(layer_normalization)      \
  LAYER(mask)                     \
  LAYER(masking)                  \
  LAYER(max_pooling2d)            \
  LAYER(normalization)            \
  LAYER(permute)                  \
  LAYER(prelu)                    \
  LAYER(random_brightness)        \
  LAYER(random_contrast)          \
  LAYER(random_crop)              \
  LAYER(random_flip)              \
  LAYER(random_rotation)          \
  LAYER(random_translation)       \
  LAYER(random_zoom)              \
  LAYER(repeat_vector)            \
  LAYER(rescaling)                \
  LAYER(reshape)                  \
  LAYER(resizing)                 \
  LAYER(softmax)                  \
  LAYER(time_distributed)         \
  LAYER(up_sampling)              \
  LAYER(zero_padding)
// The kinds with several inputs, without those in merges.def.
#define NNCORE_MERGES(LAYER) \
  LAYER(attention)           \
  LAYER(concatenate)         \
  LAYER(dot)                 \
  LAYER(gru)                 \
  LAYER(lstm)                \
  LAYER(masked_average)      \
  LAYER(select)              \
  LAYER(simple_rnn)

#define NNCORE_DECLARE(kind) std::unique_ptr<Layer> make_##kind(const Spec& spec, const Shape& input);
NNCORE_LAYERS(NNCORE_DECLARE)
#undef NNCORE_DECLARE
#define NNCORE_DECLARE(kind) \
  std::unique_ptr<Layer> make_##kind(const Spec& spec, const std::vector<Shape>& inputs);
NNCORE_MERGES(NNCORE_DECLARE)
#define LINEAR(kind, ...) NNCORE_DECLARE(kind)
#define COMBINED(kind, ...) NNCORE_DECLARE(kind)
#include "merges.def"
#undef NNCORE_DECLARE

namespace {

struct Entry {
  const char* kind;
  std::unique_ptr<Layer> (*make)(const Spec& spec, const Shape& input);
  std::unique_ptr<Layer> (*merge)(const Spec& spec, const std::vector<Shape>& inputs);
};

#define NNCORE_ENTRY(kind) Entry{#kind, make_##kind, nullptr},
#define NNCORE_MERGE(kind) Entry{#kind, nullptr, make_##kind},
#define LINEAR(kind, ...) NNCORE_MERGE(kind)
#define COMBINED(kind, ...) NNCORE_MERGE(kind)
constexpr std::array kLayers = {NNCORE_LAYERS(NNCORE_ENTRY) NNCORE_MERGES(NNCORE_MERGE)
#include "merges.def"
};
#undef NNCORE_ENTRY
#undef NNCORE_MERGE

}  // namespace

std::unique_ptr<Layer> make_layer(const Spec& spec, const std::vector<Shape>& inputs) {
  const auto entry = std::ranges::find_if(kLayers, [&](const Entry& e) { return spec.kind == e.kind; });
  if (entry == kLayers.end()) spec.fail("there is no layer of this kind");
  if (inputs.empty()) spec.fail("takes one input or more, got none");
  if (inputs.size() > kMostInputs)
    spec.fail("takes at most " + std::to_string(kMostInputs) + " inputs, got " +
              std::to_string(inputs.size()) + ": let a layer join each part of them");
  for (const Shape& input : inputs)
    if (input.size() > kMostAxes)
      spec.fail("expected samples of at most " + std::to_string(kMostAxes) + " axes, got " +
                std::to_string(input.size()));
  if (entry->merge) return entry->merge(spec, inputs);
  if (inputs.size() != 1) spec.fail("takes one input, got " + std::to_string(inputs.size()));
  return entry->make(spec, inputs[0]);
}

std::vector<std::string> layer_kinds() {
  std::vector<std::string> kinds;
  for (const Entry& e : kLayers) kinds.emplace_back(e.kind);
  return kinds;
}

}  // namespace nncore

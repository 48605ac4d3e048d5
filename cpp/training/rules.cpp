#include "rules.hpp"

#include <algorithm>

namespace nncore {

Rules::Rules(const Spec& spec, std::vector<bool> decaying, std::size_t floats) : decays(std::move(decaying)) {
  const auto number = [&](const char* name, double least, double most) {
    return spec.attributes.contains(name) ? spec.setting({name, 0.0, least, most, false}) : 0.0;
  };
  clipnorm = number("clipnorm", 0.0, 3.4e38);
  global_clipnorm = number("global_clipnorm", 0.0, 3.4e38);
  clipvalue = static_cast<float>(number("clipvalue", 0.0, 3.4e38));
  averages = number("use_ema", 0.0, 1.0) > 0.0;
  momentum = number("ema_momentum", 0.0, 1.0);
  overwrite_every = static_cast<std::uint64_t>(number("ema_overwrite_frequency", 0.0, 1e9));
  micro_steps =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(number("gradient_accumulation_steps", 0.0, 1e9)));
  any_ =
      has_norms() || clipvalue > 0.0f || averages || micro_steps > 1 || std::ranges::count(decays, false) > 0;
  if (averages) average = Buffer(floats);
  if (micro_steps > 1) accumulator = Buffer(floats);
}

std::vector<std::pair<std::string, const Buffer*>> Rules::buffers() const {
  std::vector<std::pair<std::string, const Buffer*>> found;
  if (averages) found.emplace_back("average", &average);
  if (micro_steps > 1) found.emplace_back("gradient_accumulator", &accumulator);
  return found;
}

}  // namespace nncore

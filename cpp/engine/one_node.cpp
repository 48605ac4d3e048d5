#include "one_node.hpp"

#include <exception>
#include <mutex>

#include "../kernels/dispatch.hpp"

namespace nncore {
namespace {

// Kept by the process at most: 64 MiB, in so many networks.
constexpr std::size_t kMostKept = std::size_t{16} << 20, kMostNetworks = 32;

// From the oldest on. Who finds it busy does without, and so does a process that was forked meanwhile.
struct Kept {
  std::mutex busy;
  std::vector<OneNode::Held> networks;
  std::size_t floats = 0;

  std::unique_ptr<Network> remove(std::size_t i) {
    std::unique_ptr<Network> network = std::move(networks[i].network);
    floats -= networks[i].floats;
    networks.erase(networks.begin() + offset(i));
    return network;
  }
};

// Never destroyed, as threads may outlive everything else.
Kept& kept() {
  static auto* const all = new Kept;
  return *all;
}

}  // namespace

OneNode::OneNode(const Spec& spec, const Shape& sample, bool goes_back)
    : held_{spec, sample, goes_back, &active_kernels(), nullptr}, exceptions_(std::uncaught_exceptions()) {
  Kept& all = kept();
  if (const std::unique_lock hold(all.busy, std::try_to_lock); hold)
    for (std::size_t i = all.networks.size(); i-- > 0 && !held_.network;)
      if (const Held& h = all.networks[i]; h.sample == sample && h.goes_back == goes_back &&
                                           h.kernels == held_.kernels && h.spec.kind == spec.kind &&
                                           h.spec.attributes == spec.attributes)
        held_.network = all.remove(i);
  if (!held_.network)
    held_.network = std::make_unique<Network>(Graph::chain(sample, {spec}), true,
                                              std::vector<std::shared_ptr<Variables>>(), goes_back);
}

OneNode::~OneNode() {
  if (std::uncaught_exceptions() > exceptions_) return;
  held_.floats = held_.network->floats();
  Kept& all = kept();
  const std::unique_lock hold(all.busy, std::try_to_lock);
  if (!hold || held_.floats > kMostKept) return;
  while (all.floats + held_.floats > kMostKept || all.networks.size() == kMostNetworks) all.remove(0);
  all.floats += held_.floats;
  all.networks.push_back(std::move(held_));
}

}  // namespace nncore

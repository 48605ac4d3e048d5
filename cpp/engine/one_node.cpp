#include "one_node.hpp"

#include <exception>
#include <mutex>

#include "../kernels/dispatch.hpp"

namespace nncore {
namespace {

// Limits of the cache: 64 MiB, and a number of networks.
constexpr std::size_t kMostCached = std::size_t{16} << 20, kMostNetworks = 32;

// From the oldest on. Calls that find the cache busy do without it, as do children of a fork meanwhile.
struct Cache {
  std::mutex busy;
  std::vector<OneNode::Entry> networks;
  std::size_t floats = 0;

  std::unique_ptr<Network> remove(std::size_t i) {
    std::unique_ptr<Network> network = std::move(networks[i].network);
    floats -= networks[i].floats;
    networks.erase(networks.begin() + offset(i));
    return network;
  }
};

// Never destroyed, as threads may outlive static objects.
Cache& cache() {
  static auto* const all = new Cache;
  return *all;
}

}  // namespace

OneNode::OneNode(const Spec& spec, const Shape& sample, bool goes_back)
    : entry_{spec, sample, goes_back, &active_kernels(), nullptr}, exceptions_(std::uncaught_exceptions()) {
  Cache& all = cache();
  if (const std::unique_lock hold(all.busy, std::try_to_lock); hold)
    for (std::size_t i = all.networks.size(); i-- > 0 && !entry_.network;)
      if (const Entry& e = all.networks[i]; e.sample == sample && e.goes_back == goes_back &&
                                            e.kernels == entry_.kernels && e.spec.kind == spec.kind &&
                                            e.spec.attributes == spec.attributes)
        entry_.network = all.remove(i);
  if (!entry_.network)
    entry_.network = std::make_unique<Network>(Graph::chain(sample, {spec}), true,
                                               std::vector<std::shared_ptr<Variables>>(), goes_back);
}

OneNode::~OneNode() {
  if (std::uncaught_exceptions() > exceptions_) return;
  entry_.floats = entry_.network->floats();
  Cache& all = cache();
  const std::unique_lock hold(all.busy, std::try_to_lock);
  if (!hold || entry_.floats > kMostCached) return;
  while (all.floats + entry_.floats > kMostCached || all.networks.size() == kMostNetworks) all.remove(0);
  all.floats += entry_.floats;
  all.networks.push_back(std::move(entry_));
}

}  // namespace nncore

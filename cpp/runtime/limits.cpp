#include "limits.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#if defined(_OPENMP)
#include <pthread.h>
#endif

namespace nncore {
namespace {

constexpr int kNoLimit = std::numeric_limits<int>::max();

// quota / period of a control group, rounded up; kNoLimit if it has no quota ("max" or -1) or does not exist.
int group_limit(const std::string& folder, bool version_2) {
  long long quota = 0, period = 0;
  if (version_2) {
    std::ifstream(folder + "/cpu.max") >> quota >> period;
  } else {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  if (quota <= 0 || period <= 0) return kNoLimit;
  return static_cast<int>(std::min<long long>((quota + period - 1) / period, kNoLimit));
}

#if defined(_OPENMP)
// OMP_STACKSIZE in bytes: it holds a number with unit B, K (the default), M or G. 0 if it is not set.
std::size_t runtime_stack_size() {
  const char* text = std::getenv("OMP_STACKSIZE");
  if (!text) return 0;
  char* unit = nullptr;
  std::size_t size = std::strtoull(text, &unit, 10);
  while (*unit == ' ') ++unit;
  const char* const units = "BKMG";
  const char* const found = *unit ? std::strchr(units, *unit & ~0x20) : units + 1;
  for (const char* u = units; found && u < found; ++u) size *= 1024;
  return size;
}
#endif

}  // namespace

// The smallest quota of this process' control groups and all their parents. Inside a container the path of
// the group may not exist; then the root of the mount is the container's own group.
int quota_limit() {
  int limit = kNoLimit;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // number:controllers:path
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool version_2 = controllers == ",,";
    if (!version_2 && controllers.find(",cpu,") == std::string::npos) continue;
    const std::string mount = version_2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    for (std::string path = line.substr(second + 1); !path.empty(); path.resize(path.rfind('/')))
      limit = std::min(limit, group_limit(mount + path, version_2));
    limit = std::min(limit, group_limit(mount, version_2));
  }
  return limit;
}

#if defined(_OPENMP)
int available_threads(int wanted) {
  std::atomic<bool> all{false};
  std::vector<pthread_t> threads(static_cast<std::size_t>(wanted) + 1);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  if (const std::size_t size = runtime_stack_size()) pthread_attr_setstacksize(&attributes, size);
  const auto wait = [](void* flag) -> void* {
    static_cast<std::atomic<bool>*>(flag)->wait(false);
    return nullptr;
  };
  std::size_t count = 0;
  while (count < threads.size() && pthread_create(&threads[count], &attributes, wait, &all) == 0) ++count;
  pthread_attr_destroy(&attributes);
  all = true;
  all.notify_all();
  for (std::size_t i = 0; i < count; ++i) pthread_join(threads[i], nullptr);
  return std::max(0, static_cast<int>(count) - 1);
}
#endif

}  // namespace nncore

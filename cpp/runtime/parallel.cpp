#include "parallel.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>

#if defined(_OPENMP)
#include <omp.h>
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif

namespace nncore {
namespace {

// The runtime ends the process when it cannot start a thread, so absurd numbers are refused before.
constexpr int kMaxThreads = 1024;
constexpr int kNoLimit = std::numeric_limits<int>::max();

#if defined(_OPENMP)

int affinity_limit() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return kNoLimit;
}

// quota / period rounded up; no limit when the group has none ("max" or -1) or does not exist.
int quota_limit(std::istream&& quota_file, std::istream&& period_file) {
  long long quota = 0, period = 0;
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) return kNoLimit;
  return static_cast<int>(std::min<long long>((quota + period - 1) / period, kNoLimit));
}

int group_limit(const std::string& folder, bool version_2) {
  if (!version_2)
    return quota_limit(std::ifstream(folder + "/cpu.cfs_quota_us"),
                       std::ifstream(folder + "/cpu.cfs_period_us"));
  std::string quota, period;
  std::ifstream(folder + "/cpu.max") >> quota >> period;
  return quota_limit(std::istringstream(quota), std::istringstream(period));
}

// The smallest quota of this process' control groups and all their parents. Inside a container the path of
// the group may not exist; then the root of the mount is the container's own group.
int cgroup_limit() {
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

// What the OpenMP runtime found at start: OMP_NUM_THREADS or the processors.
const int initial_omp_threads = omp_get_max_threads();

std::atomic<bool> team_started{false};
std::atomic<bool> team_lost{false};

void after_fork_in_child() {
  if (team_started) team_lost = true;
}

int team_size(std::size_t tasks, int threads) {
  if (tasks <= 1 || omp_in_parallel() || team_lost) return 1;
  // A limit set from outside for this thread (threadpoolctl) holds; more threads than processors are allowed.
  const int limit = omp_get_max_threads();
  return limit < initial_omp_threads ? std::min(threads, limit) : threads;
}

#endif

int check(long long n, const char* name) {
  if (n < 1 || n > kMaxThreads)
    throw std::invalid_argument(std::string(name) + ": the number of threads must be from 1 to " +
                                std::to_string(kMaxThreads) + ", got " + std::to_string(n));
  return static_cast<int>(n);
}

std::atomic<int>& threads_in_use() {
  static std::atomic<int> threads{max_threads()};
  return threads;
}

}  // namespace

int max_threads() {
  if (const char* text = std::getenv("NNCORE_NUM_THREADS"); text && *text) {
    long long n = 0;
    const char* end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, n);
    if (error != std::errc{} || stop != end)
      throw std::invalid_argument("NNCORE_NUM_THREADS must be a whole number, got '" + std::string(text) +
                                  "'");
    return check(n, "NNCORE_NUM_THREADS");
  }
#if defined(_OPENMP)
  const char* text = std::getenv("OMP_NUM_THREADS");
  const int allowed = text && *text ? kMaxThreads : std::min(affinity_limit(), cgroup_limit());
  return std::clamp(std::min(initial_omp_threads, allowed), 1, kMaxThreads);
#else
  return 1;
#endif
}

int get_num_threads() { return threads_in_use(); }

void set_num_threads(int n) { threads_in_use() = check(n, "set_num_threads"); }

#if defined(_OPENMP)
#define NNCORE_STRING_(x) #x
#define NNCORE_STRING(x) NNCORE_STRING_(x)
const char* parallel_backend() { return "OpenMP " NNCORE_STRING(_OPENMP); }
#else
const char* parallel_backend() { return "none"; }
#endif

void run_tasks(std::size_t tasks, int threads, TaskFunction call, void* context) noexcept {
#if defined(_OPENMP)
  if (threads = team_size(tasks, threads); threads > 1) {
    static const int registered = pthread_atfork(nullptr, nullptr, after_fork_in_child);
    static_cast<void>(registered);
    team_started = true;
    // Not min(threads, tasks): the runtime ends and starts threads whenever the size of the team changes.
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (std::size_t task = 0; task < tasks; ++task) call(context, task, omp_get_thread_num());
    return;
  }
#else
  static_cast<void>(threads);
#endif
  for (std::size_t task = 0; task < tasks; ++task) call(context, task, 0);
}

}  // namespace nncore

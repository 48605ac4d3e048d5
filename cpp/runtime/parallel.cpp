#include "parallel.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

#include "limits.hpp"
#include "lock.hpp"

#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace nncore {
namespace {

// OpenMP ends the process if it cannot start a thread, so absurd numbers are refused first.
constexpr int kMaxThreads = 1024;

// The number of the process that started the team, or 0.
std::atomic<std::uint32_t> team_process{0};
// Whether the team's threads are in another process, from which this one was forked.
bool team_lost() { return team_process != 0 && team_process != process_number(); }

#if defined(_OPENMP)

// A new thread inherits the affinity of its creator, which the user may have bound to one processor.
void use_affinity_of_process() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(getpid(), sizeof(set), &set) == 0) sched_setaffinity(0, sizeof(set), &set);
#endif
}

// The OpenMP runtime's number of threads at start: OMP_NUM_THREADS or the processors.
const int initial_omp_threads = omp_get_max_threads();
const int processors = omp_get_num_procs();

int allowed_threads(int threads) {
  if (omp_in_parallel() || team_lost()) return 1;
  // A limit that threadpoolctl, say, set for this thread applies; more threads than processors are allowed.
  const int limit = omp_get_max_threads();
  return limit < initial_omp_threads ? std::min(threads, limit) : threads;
}

#else

constexpr int processors = 1;

#endif

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// ThreadSanitizer does not see into GCC's OpenMP runtime. These tell it that writes before a region happen
// before reads in it; accesses to the region's shared variables are not checked.
#if defined(__SANITIZE_THREAD__)
#define NNCORE_STARTS_THREADS __attribute__((no_sanitize("thread")))
inline void publish(void* region) { __tsan_release(region); }
inline void receive(void* region) { __tsan_acquire(region); }
#else
#define NNCORE_STARTS_THREADS
inline void publish(void*) {}
inline void receive(void*) {}
#endif

// Threads that work on one job after another, for one leader at a time. The leader publishes a job; each
// thread claims tasks one by one, first its own, then those that others have not begun. So a thread gets the
// same data in every job and finds them in its cache. Workers with numbers from size() on stand by.
class Team {
 public:
  int size() const { return size_.load(std::memory_order_relaxed); }
  void set_size(int size) {
    if (size_.exchange(size, std::memory_order_relaxed) < size) size_.notify_all();
    most_owners_ = std::max(most_owners_, owners(size));
  }

  void lead(std::size_t tasks, TaskFunction call, void* context) {
    const std::uint32_t job = ++leader_job_;
    // A claim fails if the ticket has changed since it was read, before the fields of the job were. So
    // tickets are closed while the fields change.
    for (int i = 0; i < most_owners_; ++i)
      tickets_[i].value.store(ticket(job, kClosed), std::memory_order_release);
    call_.store(call, std::memory_order_release);
    context_.store(context, std::memory_order_release);
    tasks_.store(static_cast<std::uint32_t>(tasks), std::memory_order_release);
    workers_.store(size(), std::memory_order_release);
    done_.store(0, std::memory_order_release);
    stopped_.store(stop_requested(), std::memory_order_relaxed);
    arrived_.store(0, std::memory_order_relaxed);
    const int count = owners(size());
    for (int i = 0; i < count; ++i)
      tickets_[i].value.store(ticket(job, first_task(i, count, static_cast<std::uint32_t>(tasks))),
                              std::memory_order_release);
    job_.store(job, std::memory_order_seq_cst);
    job_.notify_all();
    work(job, 0);
    for (int spins = 0;;) {
      const std::uint32_t done = done_.load(std::memory_order_acquire);
      if (done == tasks) break;
      // A signal handler has forked: the threads that would finish their tasks are not in this process.
      if (team_lost()) return stop_call();
      if (spins++ < spin_limit())
        pause();
      else
        done_.wait(done, std::memory_order_acquire);
    }
    if (arrived_.load(std::memory_order_relaxed) == 0) move_followers();
  }

  [[noreturn]] void follow(int worker) {
    follow_stop(&stopped_);
#if defined(__linux__)
    threads_[worker].store(pthread_self(), std::memory_order_relaxed);
#endif
    for (std::uint32_t seen = 0;;) {
      for (int all = size(); worker >= all; all = size()) size_.wait(all, std::memory_order_relaxed);
      for (int spins = 0; job_.load(std::memory_order_acquire) == seen;) {
        if (spins++ < spin_limit())
          pause();
        else
          job_.wait(seen, std::memory_order_acquire);
      }
      seen = job_.load(std::memory_order_acquire);
      arrived_.fetch_add(1, std::memory_order_relaxed);
      work(seen, worker);
    }
  }

 private:
  static constexpr std::uint32_t kClosed = 0xffffffff;  // a task number beyond those of any job

  static std::uint64_t ticket(std::uint32_t job, std::uint32_t task) {
    return std::uint64_t{job} << 32 | task;
  }

  // Spins before a thread sleeps, some ten microseconds. Threads that share processors do not spin.
  int spin_limit() const { return size() > processors ? 0 : 1000; }

  static int owners(int workers) { return std::min(workers, kMostOwners); }
  // Tasks with adjacent data have one owner, whose processor prefetches from one to the next.
  static std::uint32_t first_task(int owner, int count, std::uint32_t tasks) {
    const auto number = static_cast<std::uint64_t>(owner), all = static_cast<std::uint64_t>(count);
    return static_cast<std::uint32_t>((tasks * number + all - 1) / all);
  }

  void work(std::uint32_t job, int worker) {
    const int count = owners(workers_.load(std::memory_order_acquire));
    for (int i = 0; i < count; ++i) work(job, worker, (worker + i) % count);
  }

  void work(std::uint32_t job, int worker, int owner) {
    std::atomic<std::uint64_t>& ticket_of_owner = tickets_[owner].value;
    std::uint64_t at = ticket_of_owner.load(std::memory_order_acquire);
    for (;;) {
      if (at >> 32 != job) return;
      const auto task = static_cast<std::uint32_t>(at);
      const TaskFunction call = call_.load(std::memory_order_acquire);
      void* const context = context_.load(std::memory_order_acquire);
      const std::uint32_t tasks = tasks_.load(std::memory_order_acquire);
      const int workers = workers_.load(std::memory_order_acquire);
      if (worker >= workers || task >= first_task(owner + 1, owners(workers), tasks)) return;
      if (!ticket_of_owner.compare_exchange_weak(at, at + 1, std::memory_order_acq_rel,
                                                 std::memory_order_acquire))
        continue;
      if (!stopped_.load(std::memory_order_relaxed)) call(context, task, worker);
      if (worker == 0 && ask_for_stop()) stopped_.store(true, std::memory_order_relaxed);
      if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == tasks && worker != 0) done_.notify_one();
      at = ticket_of_owner.load(std::memory_order_acquire);
    }
  }

  // A virtual machine may wake a follower on the leader's processor though another is idle, and leave it
  // queued for tens of milliseconds. Followers that miss a whole job are moved to other processors, at most
  // once per kPeriod, as the cause may be another.
  void move_followers() {
#if defined(__linux__)
    constexpr std::chrono::milliseconds kPeriod{2};
    const auto now = std::chrono::steady_clock::now();
    if (now - moved_ < kPeriod) return;
    moved_ = now;
    const int here = sched_getcpu();
    for (int worker = 1; worker < size(); ++worker) {
      const pthread_t thread = threads_[worker].load(std::memory_order_relaxed);
      cpu_set_t all;
      if (here < 0 || thread == 0 || pthread_getaffinity_np(thread, sizeof(all), &all) != 0) continue;
      cpu_set_t others = all;
      CPU_CLR(static_cast<unsigned>(here), &others);
      if (CPU_COUNT(&others) == 0) continue;
      pthread_setaffinity_np(thread, sizeof(others), &others);
      pthread_setaffinity_np(thread, sizeof(all), &all);
    }
#endif
  }

  // An owner, of a run of tasks, is one worker, or several if there are more than kMostOwners.
  static constexpr int kMostOwners = 64;
  struct alignas(64) Ticket {
    std::atomic<std::uint64_t> value{0};  // high half: number of the job, low half: the owner's next task
  };

  std::atomic<int> size_{1};
  int most_owners_ = 1;  // of all jobs so far
  std::uint32_t leader_job_ = 0;
  Ticket tickets_[kMostOwners];
  alignas(64) std::atomic<std::uint32_t> job_{0};  // what followers wait for
  std::atomic<TaskFunction> call_{nullptr};
  std::atomic<void*> context_{nullptr};
  std::atomic<std::uint32_t> tasks_{0};
  std::atomic<int> workers_{1};
  std::atomic<bool> stopped_{false};  // the remaining tasks of the job are skipped
  alignas(64) std::atomic<std::uint32_t> done_{0};
  std::atomic<int> arrived_{0};  // followers that have seen the job
#if defined(__linux__)
  std::atomic<pthread_t> threads_[kMaxThreads]{};
  std::chrono::steady_clock::time_point moved_{};
#endif
};

thread_local Team* current_team = nullptr;

#if defined(_OPENMP)

// The team of this process, which one call at a time uses. It is never destroyed, as its threads never end.
class SharedTeam {
 public:
  // Null while another call uses the team.
  Team* borrow(int threads) {
    if (busy_.exchange(true, std::memory_order_acquire)) return nullptr;
    try {
      if (threads > present_ && !refused_) start_workers(threads);
    } catch (const std::exception&) {
      refused_ = true;
    }
    team_.set_size(std::min<int>(threads, present_));
    return &team_;
  }
  void give_back() { busy_.store(false, std::memory_order_release); }

 private:
  // Starts workers up to `wanted` threads, in a parallel region that never ends; returns when all that OpenMP
  // grants have started. The region's first thread only sleeps: OpenMP may bind it to the leader's place.
  NNCORE_STARTS_THREADS void start_workers(int wanted) {
    const int first = present_;
    const int threads = first + available_threads(wanted - first);
    refused_ = true;  // unless all are granted
    if (threads == first) return;
    granted_ = 0;
    publish(this);
    std::thread([this, first, threads] {
      use_affinity_of_process();
#pragma omp parallel num_threads(threads - first + 1)
      {
        receive(this);
        if (const int number = omp_get_thread_num(); number > 0) {
          ++present_;
          present_.notify_all();
          team_.follow(first + number - 1);
        }
        granted_ = first + omp_get_num_threads() - 1;
        granted_.notify_all();
        for (;;) asleep_.wait(true);
      }
    }).detach();
    granted_.wait(0);
    for (int seen = present_; seen != granted_; seen = present_) present_.wait(seen);
    refused_ = granted_ < wanted;
  }

  Team team_;
  std::atomic<bool> busy_{false};
  std::atomic<int> present_{1};  // threads that have started, with the leader's
  std::atomic<int> granted_{0};
  std::atomic<bool> asleep_{true};
  bool refused_ = false;  // the system starts no more threads
};

SharedTeam& shared_team() {
  static auto* const team = new SharedTeam;
  return *team;
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
  const int allowed = text && *text ? kMaxThreads : std::min(processors, quota_limit());
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

int team_size() { return current_team ? current_team->size() : 1; }

void run_with_team(int threads, BodyFunction call, void* context) {
#if defined(_OPENMP)
  if (threads > 1) threads = allowed_threads(threads);
  if (threads > 1) {
    team_process = process_number();
    if (Team* const team = shared_team().borrow(threads)) {
      const struct Loan {
        explicit Loan(Team* t) { current_team = t; }
        ~Loan() {
          current_team = nullptr;
          shared_team().give_back();
        }
      } loan(team);
      return call(context);
    }
  }
#else
  static_cast<void>(threads);
#endif
  call(context);
}

void run_tasks(std::size_t tasks, TaskFunction call, void* context) noexcept {
  if (current_team && tasks > 1) {
    Team* const team = current_team;
    current_team = nullptr;  // a parallel_for in a task runs on the task's thread
    team->lead(tasks, call, context);
    current_team = team;
    return;
  }
  for (std::size_t task = 0; task < tasks && !ask_for_stop(); ++task) call(context, task, 0);
}

}  // namespace nncore

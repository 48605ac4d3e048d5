// Threads: how many, and one loop over independent tasks. The only user of OpenMP is parallel.cpp.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace nncore {

// The number of threads to use unless told otherwise: NNCORE_NUM_THREADS if it is set, else OMP_NUM_THREADS
// if it is set, else the processors that affinity and cgroup quota (rounded up) leave to this process; 1 in a
// build without OpenMP. Throws std::invalid_argument when NNCORE_NUM_THREADS is not a number from 1 to 1024.
int max_threads();

// At most this many threads work on one call; max_threads() at first. Results do not depend on it.
int get_num_threads();
// Throws std::invalid_argument unless n is from 1 to 1024. More than the processors is allowed.
void set_num_threads(int n);

// "OpenMP" with the date of its specification, or "none" in a serial build.
const char* parallel_backend();

// Runs call(context, task, worker) for each task. See parallel_for.
using TaskFunction = void (*)(void* context, std::size_t task, int worker) noexcept;
void run_tasks(std::size_t tasks, int threads, TaskFunction call, void* context) noexcept;

// Calls body(task, worker) once for each task in [0, tasks), in any order, and returns when all are done.
// `worker` is in [0, threads); no two calls with the same worker overlap, so scratch memory can be indexed by
// it.
//
// Nothing is allocated. Everything runs on the calling thread, in order and as worker 0, if threads or tasks
// is at most 1, inside another parallel_for, in a serial build, and in a forked child of a process that has
// run tasks in parallel (OpenMP's threads do not survive a fork, and waiting for them would hang). The body
// must not throw: an exception ends the process.
template <class Body>
void parallel_for(std::size_t tasks, int threads, Body&& body) {
  using Function = std::remove_reference_t<Body>;
  run_tasks(
      tasks, threads,
      [](void* context, std::size_t task, int worker) noexcept {
        (*static_cast<Function*>(context))(task, worker);
      },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

}  // namespace nncore

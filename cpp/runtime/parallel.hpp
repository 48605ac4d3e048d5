// Threads: how many, a team of them, and one loop over independent tasks. The only user of OpenMP is
// parallel.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "stop.hpp"

namespace nncore {

// The number of threads to use unless told otherwise: NNCORE_NUM_THREADS if it is set, else OMP_NUM_THREADS
// if it is set, else the processors that affinity and cgroup quota (rounded up) leave to this process; 1 in a
// build without OpenMP. Throws std::invalid_argument when NNCORE_NUM_THREADS is not a number from 1 to 1024.
int max_threads();

// At most this many threads work on one call; max_threads() at first. Results do not depend on it.
int get_num_threads();
// Throws std::invalid_argument unless n is from 1 to 1024. More than the processors is allowed.
void set_num_threads(int n);

// Work of fewer multiply-adds takes less time than waking a second thread.
constexpr std::size_t kTeamWork = 400'000;

// "OpenMP" with the date of its specification, or "none" in a serial build.
const char* parallel_backend();

// The number of threads in the calling thread's team: 1 outside with_team.
int team_size();

using BodyFunction = void (*)(void* context);
using TaskFunction = void (*)(void* context, std::size_t task, int worker) noexcept;
void run_with_team(int threads, BodyFunction call, void* context);
void run_tasks(std::size_t tasks, TaskFunction call, void* context) noexcept;

// Calls body() on this thread; a parallel_for in it runs on a team of `threads` threads, this one included.
// The others are started once and sleep between calls. There is no team for one thread, while another call
// uses it, in a task of a parallel_for, in a serial build, and in a forked child of a process that has had a
// team (threads do not survive a fork).
template <class Body>
void with_team(int threads, Body&& body) {
  using Function = std::remove_reference_t<Body>;
  run_with_team(
      threads, [](void* context) { (*static_cast<Function*>(context))(); },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

// Calls body(task, worker) once for each task in [0, tasks), in any order, and returns when all are done, or
// skipped because the call is being stopped. `worker`, in [0, team_size()), numbers the thread that runs the
// task: scratch memory can be indexed by it. Without a team all tasks run on this thread, in order.
//
// Nothing is allocated. This thread takes tasks like the others and waits only for tasks that others have
// begun, so a thread that the system does not schedule costs nothing. An exception in body ends the process.
template <class Body>
void parallel_for(std::size_t tasks, Body&& body) {
  using Function = std::remove_reference_t<Body>;
  run_tasks(
      tasks,
      [](void* context, std::size_t task, int worker) noexcept {
        (*static_cast<Function*>(context))(task, worker);
      },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

}  // namespace nncore

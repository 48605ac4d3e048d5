// Batches one after another until time is up, and their chunks, by a team if that is worth it.
#pragma once

#include <algorithm>
#include <chrono>

#include "../runtime/parallel.hpp"
#include "network.hpp"

namespace nncore {

constexpr std::size_t kCopyWork = 8;  // approximate multiply-adds of copying and packing a parameter

class Deadline {
 public:
  explicit Deadline(double seconds) : end_(Clock::now() + std::chrono::duration<double>(seconds)) {}
  bool passed() const { return Clock::now() >= end_; }

 private:
  using Clock = std::chrono::steady_clock;
  std::chrono::time_point<Clock, std::chrono::duration<double>> end_;
};

// Calls step(position, count) for one batch after another, with a team of threads, until it returns false.
// Returns the position reached. sample_work: approximate cost of a sample. Reading the clock costs
// kClockWork.
template <class Step>
std::size_t for_batches(const Samples& s, double seconds, int threads, std::size_t sample_work, Step step) {
  constexpr std::size_t kClockWork = 20 * 1000;
  const Deadline deadline(seconds);
  std::size_t position = s.start, unseen = 0;
  with_team(threads, [&] {
    while (position < s.stop) {
      const std::size_t count = std::min(s.batch_size, s.stop - position);
      const bool goes_on = step(position, count);
      position += count;
      if (!goes_on) break;
      unseen += count * sample_work;
      if (unseen < kClockWork) continue;
      if (deadline.passed()) break;
      unseen = 0;
    }
  });
  return position;
}

// Samples in a chunk. Values and gradients of a chunk fit the second-level cache. If the multiply-adds of the
// batch are worth sharing, a chunk is a quarter of the batch at most, but large enough that reading the
// parameters takes no longer than their products. parameters: floats of parameters that a chunk reads.
// least_samples: Traits::least_samples of its layers.
inline std::size_t chunk_size(std::size_t floats_per_sample, std::size_t parameters, std::size_t batch,
                              std::size_t multiply_adds, std::size_t least_samples) {
  constexpr std::size_t kCacheFloats = 256 * 1024, kMost = 32, kReuse = 8;
  const std::size_t least =
      std::clamp<std::size_t>(kReuse * parameters * batch / std::max<std::size_t>(1, multiply_adds),
                              least_samples, std::max(least_samples, kReuse));
  const std::size_t most =
      multiply_adds < kTeamWork ? kMost : std::clamp<std::size_t>((batch + 3) / 4, least, kMost);
  const std::size_t size =
      std::clamp(kCacheFloats / std::max<std::size_t>(1, floats_per_sample), least_samples, most);
  const std::size_t chunks = std::max<std::size_t>(1, (batch + size - 1) / size);
  return (batch + chunks - 1) / chunks;
}

// Runs the tasks of a pass, on this thread if they are little work. Throws Stopped if the call is stopped.
template <class Body>
void run_pass(std::size_t tasks, std::size_t multiply_adds, Body body) {
  if (multiply_adds < kTeamWork) {
    for (std::size_t task = 0; task < tasks; ++task) body(task, 0);
  } else {
    parallel_for(tasks, body);
    throw_if_stopped();
  }
}

}  // namespace nncore

// Limits that the system sets for this process.
#pragma once

namespace nncore {

// The processors that the cgroup quotas allow this process, rounded up; INT_MAX if there is no limit.
int quota_limit();
// How many of `wanted` threads the system can start now, besides the first thread of their parallel region.
// Call it before OpenMP, which ends the process if a thread cannot be started. Only in builds with OpenMP.
int available_threads(int wanted);

}  // namespace nncore

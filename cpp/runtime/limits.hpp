// What the system leaves to this process.
#pragma once

namespace nncore {

// Processors that the quotas of control groups, rounded up, leave to this process; INT_MAX where there is no
// limit.
int quota_limit();
// How many more threads the system gives at this time, of `wanted`: the runtime ends the process where one
// that it asks for is not to be had. Its own first thread is one more.
// In builds with OpenMP alone.
int available_threads(int wanted);

}  // namespace nncore

// What the system leaves to this process.
#pragma once

namespace nncore {

// Processors that affinity and the quotas of control groups, rounded up, leave to this process; INT_MAX where
// there is no limit.
int processor_limit();
// The quotas alone.
int quota_limit();

}  // namespace nncore

// The choice of the kernel table at run time.
#pragma once

#include <string>
#include <vector>

#include "kernels.hpp"

namespace nncore {

// The tables of this build that this machine can run, fastest first.
const std::vector<const Kernels*>& available_kernels();

// The table in use: at first the fastest, or the one that the environment variable NNCORE_ISA names. Throws
// std::runtime_error if that table is not available.
const Kernels& active_kernels();

// Selects the table `isa` for networks and operations that are created from now on. Throws
// std::invalid_argument if it is not available.
void select_kernels(const std::string& isa);

}  // namespace nncore

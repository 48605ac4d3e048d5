// Which table of kernels this process uses.
#pragma once

#include <string>
#include <vector>

#include "kernels.hpp"

namespace nncore {

// Tables that this build holds and this machine can run, best first.
const std::vector<const Kernels*>& available_kernels();

// The table in use: the best one, or the one named by the environment variable NNCORE_ISA. Throws
// std::runtime_error when that names a table that cannot be used here.
const Kernels& active_kernels();

// Makes `isa` the table of everything that is built from now on. Throws std::invalid_argument if it is not
// available.
void select_kernels(const std::string& isa);

}  // namespace nncore

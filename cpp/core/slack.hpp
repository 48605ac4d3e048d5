// Padding of buffers.
#pragma once

#include <cstddef>

namespace nncore {

// Floats that may be read (never written) past the end of every buffer handed to a kernel.
constexpr std::size_t kSlack = 64;

}  // namespace nncore

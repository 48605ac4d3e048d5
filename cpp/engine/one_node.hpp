// Networks of one call over the user's arrays, kept for the next of their kind.
#pragma once

#include <memory>

#include "network.hpp"

namespace nncore {

// Takes a network that is kept, or makes one, and gives it back after a call that has not thrown. Any thread.
class OneNode {
 public:
  OneNode(const Spec& spec, const Shape& sample, bool goes_back);
  ~OneNode();
  OneNode(const OneNode&) = delete;
  OneNode& operator=(const OneNode&) = delete;

  Network& operator*() { return *entry_.network; }

  struct Entry {
    Spec spec;
    Shape sample;
    bool goes_back;
    const Kernels* kernels;
    std::unique_ptr<Network> network;
    std::size_t floats = 0;
  };

 private:
  Entry entry_;
  int exceptions_;
};

}  // namespace nncore

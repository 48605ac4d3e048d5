// A cache of networks of one call on the user's arrays.
#pragma once

#include <memory>

#include "network.hpp"

namespace nncore {

// Takes a network from the cache or makes one, and returns it after a call that has not thrown. Thread-safe.
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

// Histories made at random, for comparing the reader with the oracle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/support/history.h"

namespace memlens::testing {

struct RandomHistoryOptions {
  size_t events = 1000;
  uint32_t processes = 1;
  uint32_t threads = 1;
  uint32_t nodes = 20;
  bool mappings = true;
  bool undos = true;
  bool unmatched_frees = true;
  bool shutdown = false;      // the last quarter of the first process is its shutdown
  bool pools = false;         // a third of what happens is in five pools
  bool process_ends = false;  // processes end one after the other, the last by the end
  unsigned thread_run = 5;    // events in a row by one thread, on average
};

std::vector<HistoryEvent> random_history(const RandomHistoryOptions& options, uint64_t seed);

}  // namespace memlens::testing

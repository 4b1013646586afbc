// Where the events of an earlier file of the same recording end, and this file's begin (FORMAT.md,
// "Files that go on").
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "reader/file/byte_view.h"
#include "reader/file/frame_index.h"
#include "reader/file/memory_budget.h"

namespace memlens::reader {

// The order epoch that a process was in, and how far its shards had come: empty outside of a shared
// epoch.
struct CarriedEpoch {
  uint64_t epoch = 0;
  std::vector<uint32_t> counters;
};

// A thread's first chunk in this file.
struct CarriedChunk {
  uint32_t sequence = 0;
  uint32_t counted_events = 0;  // of it, in the earlier file
};

class CarriedOrder {
 public:
  // Throws PayloadError, OverBudget.
  void add_payload(ByteView payload, MemoryBudget& budget);

  // nullptr: the process begins in this file.
  const CarriedEpoch* epoch_of(uint32_t process) const;
  // visit(process, thread, CarriedChunk)
  template <typename Visit>
  void for_each_chunk(Visit&& visit) const {
    for (const auto& [key, chunk] : chunks_) visit(key.first, key.second, chunk);
  }
  // Notes in a chunk's frame what of it was counted before.
  void mark(FrameRef& frame) const;
  void mark(std::vector<EventStream>& streams) const;

 private:
  std::map<uint32_t, CarriedEpoch> epochs_;                       // by process
  std::map<std::pair<uint32_t, uint32_t>, CarriedChunk> chunks_;  // by process and thread
};

}  // namespace memlens::reader

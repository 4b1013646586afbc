// What a tree of programs did, event by event in the order it truly happened, and its capture.
//
// Tests build a history, write it as a capture in any of the ways the format allows (owner epochs,
// shared epochs, small chunks, frames in any order), and compare what the reader makes of the
// capture with what plain code makes of the history.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "interposer/format/allocation_kind.h"

namespace memlens::testing {

enum class Action : uint8_t {
  kAllocate,
  kFree,
  kUndo,
  kMap,
  kUnmap,
  kShutdown,
  kProcessEnd,
  kPoolAllocate,
  kPoolFree,
  kPoolReset
};

struct HistoryEvent {
  Action action{};
  uint32_t process = 1;
  uint32_t thread = 1;
  uint64_t address = 0;
  uint64_t size_bytes = 0;  // kShutdown: 1 began, 0 undone
  uint32_t node = 0;
  format::AllocationKind kind = format::AllocationKind::kMalloc;
  uint32_t pool = 0;
};

// Ticks of the event at `position` in the history; one tick is one nanosecond.
uint64_t history_ticks(size_t position);
double history_seconds(size_t position);

struct WritingOptions {
  bool shared_epochs = false;  // else each change of thread in a process takes a new owner epoch
  // With shared epochs: after about so many events of a process comes an owner epoch for as many.
  size_t events_per_epoch = 1000;
  size_t events_per_time = 1;  // a time record comes before each so-manieth event of a thread
  size_t events_per_chunk = 100;
  bool compress = false;
  uint64_t shuffle_seed = 0;  // of the frames' order in the file; 0: as they were filled
  // Somebody wants to read the capture just before these events: unfinished chunks are written, and
  // a frame that says so far. In order.
  std::vector<size_t> looks = {};
};

// Pids are 1000 + process, kernel thread ids 100 * process + thread.
std::string write_history(const std::vector<HistoryEvent>& history, const WritingOptions& options);

}  // namespace memlens::testing

// This very process as one that is recorded, with a collector that does what the test says: for
// tests of what records, without hooks and without what begins recording in a program.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "interposer/collector/capture_writer.h"
#include "interposer/collector/chunk_drain.h"
#include "interposer/collector/shared_segment.h"
#include "interposer/format/metadata_records.h"
#include "reader/analysis/analysis.h"
#include "reader/capture/capture.h"

namespace memlens::testing {

class RecordedProcess {
 public:
  // Joins a session of its own; the one before, of an earlier test, is over.
  explicit RecordedProcess(uint32_t options = 0);
  ~RecordedProcess();
  RecordedProcess(const RecordedProcess&) = delete;
  RecordedProcess& operator=(const RecordedProcess&) = delete;

  segment::SegmentHeader* header() const { return segment_.header(); }
  std::string description() const { return segment_.description(0); }

  // What a collector does all the time: writes what is full, and frees it.
  unsigned drain() { return drain_.drain(); }
  // Of a process that is dead: everything it has committed.
  void drain_dead(uint32_t process_index);

  // The recording is over: every byte that is committed, read.
  const reader::Capture& finish();
  reader::Totals totals();
  // Of one process.
  reader::Totals totals_of(uint32_t process_index);

 private:
  int fd_;
  collector::SharedSegment& segment_;
  collector::CaptureWriter writer_;
  collector::ChunkDrain drain_;
  std::unique_ptr<reader::Capture> capture_;
};

// As the image that an exec leads to: finds the session by its description.
bool join_as_new_image(std::string description);

// Blocks that nobody has allocated.
inline const void* block(uint64_t number) {
  return reinterpret_cast<const void*>(0x7000'0000'0000 + number * 64);
}

}  // namespace memlens::testing

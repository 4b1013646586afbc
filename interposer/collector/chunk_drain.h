// Empties the segment's chunks into the capture and sizes the pool.
//
// The order in which frames reach the file is the point of this file. A process's definitions
// (metadata) go to a chunk of their own that fills much more slowly than event chunks, so draining
// full chunks as they come would put events into the file whose stacks are defined only in shared
// memory: a collector that is killed, or a disk that fills up, would leave events without stacks.
// Therefore the committed part of a process's metadata is written before its events of the same
// scan. What a scan finds full was defined before it was full, so the file never holds an event
// whose definitions are not in the file.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "interposer/collector/capture_writer.h"
#include "interposer/collector/chunk_snapshot.h"
#include "interposer/collector/shared_segment.h"

namespace memlens::collector {

class ChunkDrain {
 public:
  ChunkDrain(SharedSegment& segment, CaptureWriter& writer, bool sampled = false);

  // One scan: writes what is full and frees it. Returns the number of chunks freed. Once a write
  // has failed chunks are freed unwritten.
  unsigned drain();

  // The same, and what is committed of the chunks that programs still fill, for who reads the
  // capture now. The finished chunks are written as a whole in their time.
  void drain_so_far();

  // Everything of a process that is dead, its unfinished chunks too; frees them all.
  void drain_dead(uint32_t slot);

  // The end of the recording, whoever still runs: writes every committed byte, frees nothing that
  // a program may still hold. Call once, after the last drain().
  void drain_rest();

  // Waits until a program asks for attention, at most `timeout_ns`.
  void sleep(int64_t timeout_ns);

  uint64_t event_bytes() const { return event_bytes_; }
  // Chunks left out, wholly or in part, because what stood in them was no program's doing: stray
  // writes.
  uint32_t damaged_chunks() const { return damaged_chunks_; }

 private:
  // A process's metadata: producers number their chunks, this side numbers the frames.
  struct MetadataStream {
    uint32_t next_chunk = 0;     // producer's sequence of the chunk not yet written whole
    uint32_t written_bytes = 0;  // of that chunk
    uint32_t next_frame = 0;
    bool damaged = false;  // nothing more of this chunk is written
  };
  enum class Take : uint8_t { kFull, kSoFar, kDeadSlot, kAll };

  // How much of an unfinished chunk is in the capture.
  struct Unfinished {
    uint32_t process = 0;
    uint32_t thread = 0;
    uint32_t sequence = 0;
    uint32_t written_bytes = 0;
  };

  void find_chunks(Take take, uint32_t dead_slot);
  void find_chunk(uint32_t index, Take take, uint32_t dead_slot);
  uint32_t owner_of(const ChunkSnapshot& chunk);
  bool metadata_has_gap() const;
  std::span<const uint8_t> copy_payload(const ChunkSnapshot& chunk, uint32_t from);
  void write_metadata(const ChunkSnapshot& found);
  void write_events(const ChunkSnapshot& found);
  void write_unfinished(const ChunkSnapshot& found);
  bool append_events(format::FrameKind kind, const ChunkSnapshot& found);
  void free_chunk(uint32_t index);
  unsigned drain_found(Take take, uint32_t dead_slot);
  void resize_pool();
  void release_unused();
  void wake_producers();

  SharedSegment& shared_;
  segment::SegmentHeader* segment_;
  CaptureWriter& writer_;
  const bool sampled_;
  const uint64_t first_ticks_;                             // no chunk is older
  std::unordered_map<uint32_t, MetadataStream> metadata_;  // by process index
  std::unordered_map<uint32_t, Unfinished> unfinished_;    // by chunk
  std::vector<ChunkSnapshot> events_found_;
  std::vector<ChunkSnapshot> metadata_found_;
  std::vector<uint32_t> damaged_found_;  // to be freed
  std::vector<uint32_t> owners_;         // by slot, the process whose it is, if known
  std::vector<uint8_t> payload_;         // copied out of the chunk being written
  uint32_t active_;           // of segment_->active_chunks, which is the programs' to damage
  uint32_t scan_limit_;       // no chunk at or beyond this index was ever claimable
  uint32_t owned_ = 0;        // chunks that programs held during the last scan
  uint32_t quiet_scans_ = 0;  // scans in a row that found most of the pool unused
  uint32_t damaged_chunks_ = 0;
  uint64_t event_bytes_ = 0;
};

}  // namespace memlens::collector

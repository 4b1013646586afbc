// Where each frame of the capture is: made once from the frames' headers, payloads unread.
//
// Everything wrong with a file's outside is found here: a file that is no capture, a newer version,
// damaged headers, and the difference between a file that was cut (interrupted: every complete
// frame is good) and one that is damaged (an error).
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "interposer/format/event_codec.h"
#include "interposer/format/file_layout.h"
#include "reader/file/left_out.h"
#include "reader/file/source.h"

namespace memlens::reader {

struct FrameRef {
  uint64_t offset = 0;  // of the frame's header in the file
  uint64_t ticks = 0;
  uint64_t order_epoch = 0;
  format::FrameKind kind{};
  uint16_t flags = 0;
  uint32_t process = 0;
  uint32_t thread = 0;
  uint32_t sequence = 0;
  uint32_t stored_bytes = 0;
  uint32_t raw_bytes = 0;
  uint32_t lost_events = 0;
  uint32_t payload_checksum = 0;
  bool unfinished = false;      // of events: the beginning of a chunk that goes on
  bool carried = false;         // of events: blocks from before this file
  uint32_t counted_events = 0;  // of events: the first so many belong to an earlier file

  bool goes_on() const { return carried || counted_events != 0; }

  uint64_t payload_offset() const { return offset + sizeof(format::FrameHeader); }
  bool compressed() const { return (flags & format::kFrameCompressed) != 0; }
  bool shared_order() const { return (flags & format::kFrameSharedOrder) != 0; }
  format::EventCoding event_coding() const {
    return (flags & format::kFrameByClass) != 0 ? format::EventCoding::kByClass
                                                : format::EventCoding::kByLast;
  }
};

// The event frames of one thread, in order of their sequence numbers; carried ones first.
struct EventStream {
  uint32_t process = 0;
  uint32_t thread = 0;
  std::vector<FrameRef> frames;
  uint64_t lost_events = 0;
  uint64_t missing_frames = 0;  // gaps in the sequence: only a capture that was cut has them
};

// The stream's chunks that can hold events of a stretch of time. A chunk's events lie between its
// own time and the next chunk's.
EventStream chunks_between(const EventStream& stream, uint64_t from_ticks, uint64_t to_ticks);

struct FrameIndex {
  format::FileHeader header{};
  bool complete = false;     // the last frame is a trailer
  uint64_t good_bytes = 0;   // the end of the last complete frame
  uint64_t first_ticks = 0;  // the session's start
  uint64_t last_ticks = 0;   // the latest any frame header names
  // Every event before is there: of a capture still being written, what it says of itself.
  uint64_t so_far_ticks = 0;
  uint64_t frame_count = 0;
  std::vector<FrameRef> others;                        // all but events and metadata, in file order
  std::map<uint32_t, std::vector<FrameRef>> metadata;  // by process, in order of sequence
  std::vector<EventStream> streams;                    // by process, then thread
  std::vector<LeftOut> left_out;  // frames whose sequence numbers make no sense
  bool lists_chunks = true;       // else the streams' frames are left out (reader/cache)
};

// Throws CaptureError.
FrameIndex read_frame_index(const Source& source);

// Calls `visit(const FrameRef&)` for every complete frame in file order, unknown kinds included.
// Returns the end of the last complete frame. Throws CaptureError on damage.
template <typename Visitor>
uint64_t visit_frames(const Source& source, const format::FileHeader& header, Visitor&& visit);

// The file header, checked. Throws CaptureError.
format::FileHeader read_file_header(const Source& source);

// Reads the frame header at `offset`. False: the file ends before the frame does. Throws
// CaptureError on damage.
bool read_frame_ref(const Source& source, uint64_t offset, FrameRef& ref);

template <typename Visitor>
uint64_t visit_frames(const Source& source, const format::FileHeader& header, Visitor&& visit) {
  uint64_t offset = header.header_bytes;
  FrameRef ref;
  while (read_frame_ref(source, offset, ref)) {
    visit(static_cast<const FrameRef&>(ref));
    offset = ref.payload_offset() + ref.stored_bytes;
  }
  return offset;
}

}  // namespace memlens::reader

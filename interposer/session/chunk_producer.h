// The producer's side of the segment's protocol: claim a chunk, hand it over, wait when there is
// none. segment/layout.h states the protocol.
#pragma once

#include <cstdint>

#include "interposer/segment/layout.h"

namespace memlens::interposer {

struct ClaimedChunk {
  segment::ChunkHeader* header = nullptr;
  uint32_t index = 0;
  bool no_address_space = false;  // why there is none
};

// After attaching: `segment`'s first window is mapped. A forked child inherits what is.
void start_chunk_windows(segment::SegmentHeader* segment);

// Claims a free chunk for the process in `slot`; its committed length is 0. Waits for the collector
// while the pool is empty, 50 ms at a time and without limit: nothing is dropped while the
// collector lives. Returns a null header when recording is over: the collector died or asked to
// stop, or no free chunk can be mapped here (`ulimit -v`). Any thread, no program lock of ours
// held; keeps errno.
ClaimedChunk claim_chunk(segment::SegmentHeader* segment, uint32_t slot);

// Before a fork: a child needs chunks of its own at once, and inherits what is mapped here, where
// otherwise each would map it again (three system calls). Any thread; keeps errno.
void map_room_for_child(segment::SegmentHeader* segment);

// Gives a claimed chunk to the collector, waking it when a quarter of the pool is waiting.
void hand_over_chunk(segment::SegmentHeader* segment, uint32_t index, uint32_t slot);

}  // namespace memlens::interposer

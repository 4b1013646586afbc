// One chunk as the collector takes it over: copied first, then checked, then believed.
//
// The segment is memory of the programs that are recorded. A stray write of theirs may change any
// byte of it at any time, also between two looks of ours; so what decides anything is looked at
// once, and nothing is written to the capture that contradicts what is known without the chunk.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "interposer/format/file_layout.h"
#include "interposer/segment/layout.h"

namespace memlens::collector {

struct ChunkSnapshot {
  uint32_t index = 0;
  bool full = false;  // may be freed once it is written
  uint32_t slot = 0;
  uint32_t committed = 0;
  uint16_t kind = 0;
  uint16_t shared_order = 0;
  uint32_t process = 0;
  uint32_t thread = 0;
  uint32_t sequence = 0;
  uint32_t lost_events = 0;
  uint64_t ticks = 0;
  uint64_t order_epoch = 0;

  bool is(format::FrameKind wanted) const { return kind == static_cast<uint16_t>(wanted); }
};

// Copies the header. The committed length is never more than fits.
ChunkSnapshot take_snapshot(const segment::ChunkHeader* chunk, uint32_t index, uint32_t slot);

// Whether a program can have written this header: `owner`, its slot's process, a moment between
// `first_ticks` and now, a kind and a thread that go together. Precondition: something is
// committed.
bool is_plausible(const ChunkSnapshot& chunk, uint32_t owner, uint64_t first_ticks);

// The leading records of a metadata payload that are well-formed: all of it, if nobody damaged it.
size_t well_formed_bytes(std::span<const uint8_t> metadata);

}  // namespace memlens::collector

// A program's side of the segment, without a program.
#pragma once

#include <cstring>
#include <string>

#include "interposer/format/file_layout.h"
#include "interposer/platform/clock.h"
#include "interposer/segment/layout.h"

namespace memlens::testing {

// Tests touch the initial chunks alone.
inline segment::ChunkHeader* chunk_at(segment::SegmentHeader* segment, int chunk) {
  return segment::chunk_at(segment, static_cast<uint32_t>(chunk));
}

// As a program does before it claims a chunk.
inline void own_slot(segment::SegmentHeader* segment, uint32_t slot, uint32_t process) {
  segment->processes[slot].process = process;
  segment->processes[slot].state = segment::kSlotLive;
}

// Claims the first free chunk for `slot`; -1: the pool is empty.
inline int claim(segment::SegmentHeader* segment, uint32_t slot) {
  for (uint32_t i = 0; i < segment->active_chunks; ++i) {
    uint32_t expected = segment::chunk_word(segment::kFree, 0);
    if (segment->chunk_words[i].compare_exchange_strong(
            expected, segment::chunk_word(segment::kOwned, slot))) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

inline void describe(segment::SegmentHeader* segment, int chunk, format::FrameKind kind,
                     uint32_t process, uint32_t thread, uint32_t sequence) {
  segment::ChunkHeader* header = chunk_at(segment, chunk);
  header->kind = static_cast<uint16_t>(kind);
  header->shared_order = 0;
  header->process = process;
  header->thread = thread;
  header->sequence = sequence;
  header->lost_events = 0;
  header->ticks = platform::read_ticks();
  header->order_epoch = 0;
}

inline void commit(segment::SegmentHeader* segment, int chunk, const std::string& bytes) {
  segment::ChunkHeader* header = chunk_at(segment, chunk);
  const uint32_t committed = header->committed;
  std::memcpy(reinterpret_cast<char*>(header + 1) + committed, bytes.data(), bytes.size());
  header->committed.store(committed + static_cast<uint32_t>(bytes.size()),
                          std::memory_order_release);
}

inline void hand_over(segment::SegmentHeader* segment, int chunk, uint32_t slot) {
  segment->chunk_words[chunk].store(segment::chunk_word(segment::kFull, slot),
                                    std::memory_order_release);
  segment->handed_over.fetch_add(1);
}

inline segment::ChunkState state_of(segment::SegmentHeader* segment, int chunk) {
  return segment::chunk_state(segment->chunk_words[chunk]);
}

}  // namespace memlens::testing

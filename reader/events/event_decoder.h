// Bytes to events: the mirror of the interposer's event encoder. FORMAT.md, "Events".
//
// A chunk is decoded with nothing but itself, in batches that stay in the processor's first cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "interposer/format/event_codec.h"
#include "reader/events/chunk_stacks.h"
#include "reader/events/event.h"
#include "reader/file/frame_index.h"
#include "reader/file/frame_payload.h"

namespace memlens::reader {

class EventDecoder {
 public:
  // `payload` is the frame's, and must stay as it is until the last decode().
  void start(const PayloadBuffer& payload, const FrameRef& frame);

  // Writes at most `capacity` events and returns how many; 0 at the end of the chunk. Throws
  // PayloadError.
  size_t decode(Event* out, size_t capacity);

  // Gives memory back; start() comes before the next decode().
  void release() { allocations_ = {}; }

 private:
  void decode_extended(format::ExtendedOperation operation, Event& event);
  void decode_pool_event(Event& event);
  uint64_t read_varint();
  uint32_t read_varint32();
  uint64_t read_field(uint8_t tag);
  uint32_t read_stamp_delta();
  uint32_t pass_stamp(unsigned shard, uint32_t delta, uint32_t step);
  [[noreturn]] void fail(const char* reason) const;

  const uint8_t* begin_ = nullptr;
  const uint8_t* next_ = nullptr;
  const uint8_t* end_ = nullptr;
  uint64_t ticks_ = 0;
  bool shared_ = false;
  format::EventCoding coding_{};
  // For frees that name them by distance: an address in units, and below it the size class in which
  // the block, once freed, is expected again.
  std::vector<uint64_t> allocations_;
  format::ChunkCodecState codec_;
  ChunkStacks stacks_;
  uint32_t slot_stacks_[format::kDictionaryEntries];  // of the dictionary's entries
};

}  // namespace memlens::reader

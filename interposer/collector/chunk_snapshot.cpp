#include "interposer/collector/chunk_snapshot.h"

#include <algorithm>

#include "interposer/format/primitives.h"
#include "interposer/platform/clock.h"

namespace memlens::collector {

using namespace segment;

ChunkSnapshot take_snapshot(const ChunkHeader* chunk, uint32_t index, uint32_t slot) {
  ChunkSnapshot copy;
  copy.index = index;
  copy.slot = slot;
  copy.committed = std::min(chunk->committed.load(std::memory_order_acquire), kChunkPayloadBytes);
  // Volatile: each is read here and only here, whatever the compiler thinks of memory that changes.
  const volatile ChunkHeader& header = *chunk;
  copy.kind = header.kind;
  copy.shared_order = header.shared_order;
  copy.process = header.process;
  copy.thread = header.thread;
  copy.sequence = header.sequence;
  copy.lost_events = header.lost_events;
  copy.ticks = header.ticks;
  copy.order_epoch = header.order_epoch;
  return copy;
}

bool is_plausible(const ChunkSnapshot& chunk, uint32_t owner, uint64_t first_ticks) {
  if (chunk.process == 0 || chunk.process != owner) return false;
  if (chunk.ticks < first_ticks || chunk.ticks > platform::read_ticks()) return false;
  if (chunk.is(format::FrameKind::kMetadata)) return chunk.thread == 0;
  constexpr uint64_t kMaxEpoch = uint64_t{1}
                                 << 40;  // 24 bits of the order word are not the epoch's
  return chunk.is(format::FrameKind::kEvents) && chunk.thread != 0 && chunk.shared_order <= 1 &&
         chunk.order_epoch < kMaxEpoch;
}

size_t well_formed_bytes(std::span<const uint8_t> metadata) {
  const uint8_t* const begin = metadata.data();
  const uint8_t* const end = begin + metadata.size();
  const uint8_t* record = begin;
  while (record != end) {
    uint64_t body_bytes = 0;
    const uint8_t* body = format::decode_varint(record + 1, end, body_bytes);
    if (*record == 0 || body == nullptr || body_bytes > static_cast<size_t>(end - body)) break;
    record = body + body_bytes;
  }
  return static_cast<size_t>(record - begin);
}

}  // namespace memlens::collector

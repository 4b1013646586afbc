#include "interposer/metadata_writer.h"

#include <cstring>

#include "interposer/chunk_producer.h"
#include "interposer/definitions.h"
#include "interposer/format/file_layout.h"
#include "interposer/platform/clock.h"
#include "interposer/process.h"

namespace memlens::interposer {
namespace {

ClaimedChunk chunk;
uint32_t committed = 0;
uint32_t sequence = 0;

// Claimed before the lock was taken. Enough for any definition but a line table of hundreds of
// kilobytes, which may wait for the rest of its chunks under the lock.
constexpr unsigned kMaxSpares = 8;
ClaimedChunk spares[kMaxSpares];
unsigned spare_count = 0;

// A record is not split, so this much of a chunk may stay empty.
constexpr size_t kUsableBytes = segment::kChunkPayloadBytes - kMaxRecordBytes - 64;

}  // namespace

bool records_lack_room_locked(size_t bytes) {
  const size_t open = chunk.header == nullptr ? 0 : segment::kChunkPayloadBytes - committed;
  if (bytes <= open && bytes <= kMaxRecordBytes) return false;
  const size_t wanted = bytes / kUsableBytes + 1;
  return spare_count < (wanted < kMaxSpares ? wanted : kMaxSpares);
}

ClaimedChunk claim_record_chunk() { return claim_chunk(process.segment, process.slot); }

void give_record_chunk_locked(const ClaimedChunk& claimed) {
  if (spare_count < kMaxSpares) {
    spares[spare_count++] = claimed;
  } else {
    return_record_chunk(claimed);
  }
}

void return_record_chunk(const ClaimedChunk& claimed) {
  hand_over_chunk(process.segment, claimed.index, process.slot);
}

bool make_record_room_locked(size_t body_bytes) {
  const size_t bytes = 1 + format::kMaxVarintBytes + body_bytes;
  if (chunk.header != nullptr && committed + bytes <= segment::kChunkPayloadBytes) return true;
  if (chunk.header != nullptr) {
    hand_over_chunk(process.segment, chunk.index, process.slot);
    chunk = {};
  }
  chunk = spare_count != 0 ? spares[--spare_count] : claim_record_chunk();
  if (chunk.header == nullptr) return false;
  segment::ChunkHeader& header = *chunk.header;
  header.kind = static_cast<uint16_t>(format::FrameKind::kMetadata);
  header.shared_order = 0;
  header.process = process.index;
  header.thread = 0;
  header.sequence = sequence++;
  header.lost_events = 0;
  header.ticks = platform::read_ticks();
  header.order_epoch = 0;
  committed = 0;
  return true;
}

uint32_t metadata_chunk_locked() { return sequence; }

uint8_t* RecordBody::write(uint8_t* out) const {
  const uint8_t* numbers = numbers_;
  for (unsigned i = 0; i < piece_count_; ++i) {
    const Piece& piece = pieces_[i];
    if (piece.bytes == nullptr) {
      std::memcpy(out, numbers, piece.size);
      numbers += piece.size;
    } else {
      std::memcpy(out, piece.bytes, piece.size);
    }
    out += piece.size;
  }
  return out;
}

bool write_record_locked(format::MetadataType type, const RecordBody& body) {
  const size_t body_bytes = body.size();
  if (!session_is_open() || body_bytes > kMaxRecordBytes) return false;
  if (!make_record_room_locked(body_bytes)) return false;
  auto* payload = reinterpret_cast<uint8_t*>(chunk.header + 1);
  uint8_t* out = payload + committed;
  *out++ = static_cast<uint8_t>(type);
  out = format::encode_varint(out, body_bytes);
  out = body.write(out);
  committed = static_cast<uint32_t>(out - payload);
  chunk.header->committed.store(committed, std::memory_order_release);
  return true;
}

void drop_metadata_chunk() {
  chunk = {};
  spare_count = 0;
  committed = 0;
  sequence = 0;
}

}  // namespace memlens::interposer

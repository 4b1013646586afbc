#include "interposer/session/metadata_writer.h"

#include <cstring>

#include "interposer/format/file_layout.h"
#include "interposer/guest/private_lock.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/platform/clock.h"
#include "interposer/session/chunk_producer.h"
#include "interposer/session/process.h"

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

PrivateLock records_lock;

bool take_lock() {
  if (records_lock.lock(&hook_frame)) return true;
  own_slot().refused_definitions.fetch_add(1, std::memory_order_relaxed);
  return false;
}

bool lack_room(size_t bytes) {
  const size_t open = chunk.header == nullptr ? 0 : segment::kChunkPayloadBytes - committed;
  if (bytes <= open && bytes <= kMaxRecordBytes) return false;
  const size_t wanted = bytes / kUsableBytes + 1;
  return spare_count < (wanted < kMaxSpares ? wanted : kMaxSpares);
}

ClaimedChunk claim() { return claim_chunk(process.segment, process.slot); }

void give_back(const ClaimedChunk& claimed) {
  hand_over_chunk(process.segment, claimed.index, process.slot);
}

}  // namespace

RecordsGuard::RecordsGuard(size_t bytes) : held_(take_lock()) {
  while (held_ && lack_room(bytes)) {
    records_lock.unlock();
    const ClaimedChunk claimed = claim();
    held_ = claimed.header != nullptr && take_lock();
    if (held_ && spare_count < kMaxSpares) {
      spares[spare_count++] = claimed;
    } else if (claimed.header != nullptr) {
      give_back(claimed);
    }
  }
}

RecordsGuard::~RecordsGuard() {
  if (held_) records_lock.unlock();
}

bool make_record_room_locked(size_t body_bytes) {
  const size_t bytes = 1 + format::kMaxVarintBytes + body_bytes;
  if (chunk.header != nullptr && committed + bytes <= segment::kChunkPayloadBytes) return true;
  if (chunk.header != nullptr) {
    give_back(chunk);
    chunk = {};
  }
  chunk = spare_count != 0 ? spares[--spare_count] : claim();
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

bool write_definition(format::MetadataType type, const RecordBody& body) {
  if (!session_is_open()) return false;
  RecordsGuard guard(body.size() + kPlainRecordBytes);
  return guard && write_record_locked(type, body);
}

void drop_records() {
  records_lock.reset();
  chunk = {};
  spare_count = 0;
  committed = 0;
  sequence = 0;
}

}  // namespace memlens::interposer

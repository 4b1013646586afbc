// Metadata records into the process's own metadata chunk.
//
// Definitions go to a chunk apart from the events: whoever resolves names at the end reads only
// these, and a record is committed to shared memory before its id is published, so whatever kills
// the process, every event in the capture finds its definition.
#pragma once

#include <cstddef>
#include <cstdint>

#include "interposer/format/metadata_records.h"
#include "interposer/format/primitives.h"

namespace memlens::interposer {

// A record's body: numbers, and up to two long strings that are not copied until written.
class RecordBody {
 public:
  RecordBody& number(uint64_t value) {
    if (piece_count_ == 0 || pieces_[piece_count_ - 1].bytes != nullptr) add_piece(nullptr, 0);
    Piece& piece = pieces_[piece_count_ - 1];
    uint8_t* end = format::encode_varint(numbers_ + numbers_size_, value);
    const auto added = static_cast<size_t>(end - (numbers_ + numbers_size_));
    numbers_size_ += added;
    piece.size += added;
    return *this;
  }
  // `bytes` must live until the record is written.
  RecordBody& string(const void* bytes, size_t size_bytes) {
    number(size_bytes);
    add_piece(bytes, size_bytes);
    return *this;
  }

  size_t size() const {
    size_t total = 0;
    for (unsigned i = 0; i < piece_count_; ++i) total += pieces_[i].size;
    return total;
  }
  uint8_t* write(uint8_t* out) const;

 private:
  struct Piece {
    const void* bytes;  // null: the next `size` bytes of numbers_
    size_t size;
  };
  static constexpr unsigned kMaxPieces = 6;
  static constexpr unsigned kMaxNumbers = 12;

  void add_piece(const void* bytes, size_t size) {
    // A string of no bytes still ends the run of numbers before it.
    pieces_[piece_count_++] = {bytes == nullptr && size == 0 ? nullptr : bytes, size};
  }

  Piece pieces_[kMaxPieces] = {};
  unsigned piece_count_ = 0;
  uint8_t numbers_[kMaxNumbers * format::kMaxVarintBytes];
  size_t numbers_size_ = 0;
};

// The longest body that may be written.
inline constexpr size_t kMaxRecordBytes = 16 * 1024;

// What a record comes to at most, besides the strings in it.
inline constexpr size_t kPlainRecordBytes = 512;

// The lock of all definitions, held, and room for records of `bytes`. Definitions happen once a
// string, code object or stack; look-ups of nodes take no lock. Not held when recording is over, or
// when the lock could not be had, which is counted in the slot.
//
// Chunks are waited for while the collector has none, which may take any time: not under the lock,
// which others give up on.
class RecordsGuard {
 public:
  explicit RecordsGuard(size_t bytes);
  ~RecordsGuard();
  RecordsGuard(const RecordsGuard&) = delete;
  RecordsGuard& operator=(const RecordsGuard&) = delete;
  explicit operator bool() const { return held_; }

 private:
  bool held_;
};

// Writes and commits one record. The caller holds a RecordsGuard. False: recording is over.
bool write_record_locked(format::MetadataType type, const RecordBody& body);

// The same under a guard of its own.
bool write_definition(format::MetadataType type, const RecordBody& body);

// For records that lean on the one before: the chunk in which the next one will stand, once there
// is room for it. Chunks may reach the capture out of order, so a chunk's first must lean on none.
// The caller holds a RecordsGuard; false: recording is over.
bool make_record_room_locked(size_t body_bytes);
uint32_t metadata_chunk_locked();

// In a forked child, and before another session: the chunk and the lock were the parent's, or the
// last session's. Nobody else is inside.
void drop_records();

}  // namespace memlens::interposer

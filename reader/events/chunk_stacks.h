// Numbers the stacks of a chunk: each pair of node and kind, in the order they first appear.
//
// Whoever keeps something per stack then looks it up once a chunk and by index from then on,
// instead of hashing for every event.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "interposer/format/allocation_kind.h"
#include "reader/events/hash_salt.h"

namespace memlens::reader {

class ChunkStacks {
 public:
  ChunkStacks() : entries_(kFirstEntries) {}

  void start_chunk() {
    count_ = 0;
    if (++chunk_ == 0) {
      entries_.assign(entries_.size(), Entry());
      chunk_ = 1;
    }
  }

  // The stack's number. It is new if it is as large as count() was.
  uint32_t find_or_add(uint32_t node, format::AllocationKind kind) {
    const uint64_t key = uint64_t{node} << 8 | static_cast<uint8_t>(kind);
    const size_t mask = entries_.size() - 1;
    for (size_t i = hash_of(key) & mask;; i = (i + 1) & mask) {
      const Entry& entry = entries_[i];
      if (entry.chunk != chunk_) return add(i, key);
      if (entry.key == key) return entry.number;
    }
  }

  uint32_t count() const { return count_; }

 private:
  static constexpr size_t kFirstEntries = 64;

  struct Entry {
    uint64_t key = 0;
    uint32_t number = 0;
    uint32_t chunk = 0;  // another one: the entry is empty
  };

  uint64_t hash_of(uint64_t key) const { return __builtin_bswap64(key * salt_); }

  uint32_t add(size_t index, uint64_t key);

  std::vector<Entry> entries_;  // a power of two
  uint64_t salt_ = hash_salt();
  uint32_t count_ = 0;
  uint32_t chunk_ = 0;
};

}  // namespace memlens::reader

// The event stream of one chunk: what encoder (interposer) and decoder (reader) must agree on.
// FORMAT.md, "Events", is the specification.
//
// A chunk is decoded with nothing but itself: every delta, dictionary and distance starts anew with
// it. That costs 0-3 % of the file and buys random access, parallel decompression, and captures
// that lose no more than the chunk that was damaged.
#pragma once

#include <cstdint>
#include <cstring>

#include "interposer/format/allocation_kind.h"
#include "interposer/format/size_class.h"

namespace memlens::format {

// What an allocation's address is counted from.
enum class EventCoding : uint8_t {
  kByLast = 1,   // the last allocation, whichever: captures of major version 1
  kByClass = 2,  // the last of its size class
};

// ---- the tag byte that starts every event
// bits 0-1 operation, bit 2 reference hit, bit 3 a stamp follows, bits 4-7 small field
inline constexpr uint8_t kOperationMask = 0x03;
inline constexpr uint8_t kReferenceHit = 0x04;
inline constexpr uint8_t kStamped = 0x08;
inline constexpr unsigned kFieldShift = 4;
inline constexpr unsigned kFieldCount = 15;  // field values 1..15 carry 0..14; 0: a varint follows

enum class Operation : uint8_t { kFree = 0, kAllocate = 1, kExtended = 3 };

// In bits 4-7 of a kExtended tag. Append, never renumber.
enum class ExtendedOperation : uint8_t {
  kEpoch = 0,      // varint epoch, varint shared (0|1)
  kTime = 1,       // varint ticks since the last time of this chunk
  kAllocate = 2,   // kind byte, varint address, size, node, stamp: unaligned or 4 GiB and more
  kFree = 3,       // varint address, stamp: unaligned
  kUndo = 4,       // the thread's last free or unmap did not happen (failed realloc, munmap)
  kMap = 5,        // kind byte, varint address, bytes, node, stamp
  kUnmap = 6,      // varint address, bytes, stamp
  kShutdown = 7,   // the interpreter of this process began (varint 1) or undid (0) its shutdown
  kMark = 8,       // varint string id: a named moment
  kInterval = 9,   // varint bytes: what follows is samples, one in so many bytes
  kOutlived = 10,  // the block freed next outlived unrecorded allocations of its thread
  kPool = 11,      // a PoolOperation byte and what it has
};

// What a program says of a pool of its own. Each ends with a stamp on the pool's shard.
enum class PoolOperation : uint8_t {
  kAllocate = 0,  // varint pool, kind byte, varint address, size, node
  kFree = 1,      // varint pool, address
  kReset = 2,     // varint pool: all of its blocks are freed
};

inline constexpr unsigned kPointerShift = 4;  // aligned addresses are coded in units of 16 bytes
inline constexpr unsigned kUnitBits =
    48 - kPointerShift;  // of a coded address; others are written out
inline constexpr uint64_t kMaxShortSize = 0xffffffffu;

// No record is longer, stamps included.
inline constexpr uint32_t kMaxEventBytes = 64;

// ---- order across threads (FORMAT.md, "Order")
inline constexpr unsigned kAddressShards = 256;
inline constexpr unsigned kMappingShard = 256;  // all map and unmap records
inline constexpr unsigned kShardCount = 257;

constexpr unsigned shard_of(uint64_t address) {
  return static_cast<unsigned>(((address >> 12) * 0x9E3779B97F4A7C15ull) >> 56);
}
// Of everything that is said of one pool.
constexpr unsigned shard_of_pool(uint32_t pool) { return shard_of(uint64_t{pool} << 12); }

// ---- the dictionary of recent (node, size, kind) triples
inline constexpr unsigned kDictionaryEntries = 256;
inline constexpr uint32_t kNoNode = 0xffffffffu;

struct DictionaryEntry {
  uint32_t node;
  uint32_t size_bytes;
  AllocationKind kind;
};
static_assert(sizeof(DictionaryEntry) == 12);

constexpr unsigned dictionary_slot(uint32_t node, uint32_t size_bytes, AllocationKind kind) {
  return (node * 0x9E3779B1u ^ size_bytes * 0x85EBCA6Bu ^
          static_cast<uint32_t>(kind) * 0xC2B2AE35u) >>
         24;
}

// ---- what both sides keep while they pass through a chunk
struct ChunkCodecState {
  // Addresses >> kPointerShift.
  uint64_t last_freed = 0;
  uint64_t last_of_class[kSizeClasses];
  uint32_t last_node = 0;
  uint32_t stamps[kShardCount];
  DictionaryEntry dictionary[kDictionaryEntries];

  void start_chunk() {
    last_freed = 0;
    std::memset(last_of_class, 0, sizeof last_of_class);
    last_node = 0;
    start_epoch();
    for (DictionaryEntry& entry : dictionary) entry.node = kNoNode;
  }
  void start_epoch() { std::memset(stamps, 0, sizeof stamps); }
};

}  // namespace memlens::format

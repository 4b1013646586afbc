// One decoded event of a thread.
#pragma once

#include <cstdint>

#include "interposer/format/allocation_kind.h"

namespace memlens::reader {

enum class EventType : uint8_t {
  kAllocate,       // by the chunk's first event of this stack, numbered `stack`
  kAllocateKnown,  // by a stack that has its number already
  kAllocateWide,   // unaligned, or 4 GiB and more; `stack` says nothing
  kFree,
  kUndo,  // the thread's last free or unmap did not happen
  kMap,
  kUnmap,
  kShutdown,  // `size_bytes`: 1 began, 0 undone
  kMark,      // `node`: string id
  kInterval,  // `size_bytes`: the allocations that follow are samples, one in so many bytes
  kOutlived,  // the block freed next outlived allocations of its thread that were not sampled
  // Of a pool of the program's, numbered `stack`.
  kPoolAllocate,
  kPoolFree,
  kPoolReset,  // all of its blocks are freed
  // What follows is about the stream itself, not about memory.
  kEpoch,  // `address`: epoch; `size_bytes`: 1 shared
  kTime,   // `address`: ticks
};

// `stack` of a kAllocateWide or kMap, `stamp` of a kPoolAllocate, that is no allocation of now: the
// block is from an earlier file.
inline constexpr uint32_t kCarriedBlock = 0xffffffffu;

constexpr bool is_control(EventType type) { return type >= EventType::kEpoch; }

struct Event {
  uint64_t address;
  uint64_t size_bytes;
  uint32_t node;
  uint32_t stamp;  // in shared epochs, of what has an address
  uint32_t stack;  // see ChunkStacks; or a pool
  EventType type;
  format::AllocationKind kind;
};
static_assert(sizeof(Event) == 32);

}  // namespace memlens::reader

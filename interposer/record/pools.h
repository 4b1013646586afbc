// The program's own pools: heaps that it reports itself, by include/memlens.h.
//
// A pool is a struct of the program's, which may be older than this library and may have any
// content: its name is copied and bounded, and what it was in a recording stands in one word that
// is tagged with the session. So there is no table of pools, nothing to be given back, and no limit
// to their number; names are few, and those beyond the limit share a heap.
//
// Blocks of a pool usually overlap with the block that the pool has cut them from, and with those
// of a pool within the pool. So each event says its pool's number (FORMAT.md, "Pools"), and
// addresses are the pool's own. Everything said of one pool is in one order, also across threads: a
// reset frees exactly the blocks that were reported before it.
#pragma once

#include <atomic>
#include <cstdint>

#include "interposer/format/allocation_kind.h"
#include "interposer/format/heap.h"

namespace memlens::interposer {

// Numbers of functions and heaps: libraries' allocators (program/bundled_allocators.cpp) have those
// before.
inline constexpr unsigned kPoolNames = 64;
inline constexpr unsigned kFirstPoolKind = format::kLastRegisteredKind - kPoolNames;
inline constexpr uint32_t kFirstPoolHeap = format::kFirstRegisteredHeap + 64;

// memlens_pool, as memlens.h has it.
struct Pool {
  std::atomic<uint64_t> state;
  std::atomic<uint32_t> samples;  // of its blocks, those that are alive; a hint, for a reset
  char name[52];
};
static_assert(sizeof(Pool) == 64 && sizeof(std::atomic<uint64_t>) == 8);

struct PoolIdentity {
  uint32_t number = 0;  // 0: none
  format::AllocationKind kind{};
};

// What the pool is in the present session. Inside a hook, with a thread's state in hand.
PoolIdentity known_identity(const Pool& pool);
// The same; a pool that is new is described first. None when that fails.
PoolIdentity identity_of(Pool& pool);

}  // namespace memlens::interposer

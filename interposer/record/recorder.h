// The ordering rules, all of them in this file and its .cpp:
//
//   an allocation is recorded after the real call, a free before it: once freed, the address can be
//   another thread's, whose allocation must not precede our free;
//   realloc is a pair: begin retires the old block before the real call, end records the new one
//   after it, or undoes the retirement when the call failed;
//   munmap and the old range of mremap are retired before and undone likewise; what MAP_FIXED
//   replaces stays occupied throughout, so it is retired after the call.
//
// In a process that samples (sampler.h) the same functions record the blocks that are drawn, their
// frees, and every mapping.
//
// Called by hooks only when their HookScope is the outermost. Each keeps errno. None allocates
// outside private memory. When recording is off they do nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "interposer/format/allocation_kind.h"

namespace memlens::interposer {

using format::AllocationKind;

// After the real call succeeded. Takes the stack.
void record_allocation(AllocationKind kind, const void* block, size_t bytes);

// Where blocks are sampled, for hooks that let pass what is no sample before anything else. Before
// the real call: 0, or the interval that the block is to be recorded with after it.
uint64_t draw_sample(size_t bytes);
void record_sample(AllocationKind kind, const void* block, size_t bytes, uint64_t interval);

// Before the real call; `block` is not null.
void record_free(const void* block);

// The thread's last record_free or record_unmap did not happen after all. No other record of this
// thread may stand between the two.
void record_undo();

// A point in the calling thread's records, for a hook that cannot tell whether what it calls goes
// through another hook: whether that has recorded `block` as its last allocation since.
struct StreamPosition {
  const void* cursor;
  uint32_t sequence;
  uint64_t countdown;  // sampling
};
StreamPosition stream_position();
bool recorded_since(const StreamPosition& position, const void* block);

// Blocks of the program's own pools (pools.h), as it reports them: an allocation after its pool has
// made the block, a free before the pool takes it back.
struct Pool;
void record_pool_allocation(Pool& pool, const void* block, size_t bytes);
void record_pool_free(Pool& pool, const void* block);
// All of its blocks are freed.
void record_pool_reset(Pool& pool);

// Page ranges: anonymous private memory the program maps itself.
void record_map(AllocationKind kind, const void* address, size_t bytes);
void record_unmap(const void* address, size_t bytes);

// The interpreter began its shutdown (or was initialised again). See FORMAT.md, event 7.
void record_shutdown(bool began);

}  // namespace memlens::interposer

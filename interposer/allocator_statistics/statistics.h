// What the program's allocators hold free: asked of them in a copy of the process.
//
// When. At the moments that the program names (memlens_mark), when it exits, and when the collector
// wants to know (segment/layout.h, StatisticsSlot): it sees memory grow, and marks made from
// outside. What it wants is looked at in the recorder's slow path alone, which a thread takes every
// 10 ms, so an event costs nothing more, and a process that is small pays nothing at all.
//
// Why in a copy. Allocators answer under their locks, which this thread may hold itself, in a
// signal handler or a call that is not hooked, and another thread may hold for good; and they walk
// lists that a program may have damaged without ever noticing. Where they hang, abort or crash, so
// does the copy (process_copy.h), and nothing was said. What they do say it leaves in memory that
// it shares with this process, which writes it to its metadata when it comes by: at the latest
// before it exits, calls _exit, or is replaced.
//
// Whether it may be copied at this moment the collector is asked just before
// (collector/copy_permission.h): it looks at limits, filters of system calls, debuggers,
// descriptors, and at what copies have cost so far.
#pragma once

#include <atomic>
#include <cstdint>

#include "interposer/session/process.h"

namespace memlens::interposer {

// The last wish of the collector's that was answered, or could not be.
extern std::atomic<uint32_t> statistics_seen;
// The segment's tick when that was last tried.
extern std::atomic<uint32_t> statistics_tried_tick;

// From this library's constructor.
void prepare_allocator_statistics();

void take_statistics_as_wanted();

// For the recorder's slow path. Precondition: recording.
inline void look_whether_statistics_are_wanted() {
  const segment::SegmentHeader& segment = *process.segment;
  if (__builtin_expect(segment.statistics[process.slot].wanted.load(std::memory_order_relaxed) !=
                           statistics_seen.load(std::memory_order_relaxed),
                       0) &&
      segment.tick.load(std::memory_order_relaxed) !=
          statistics_tried_tick.load(std::memory_order_relaxed)) {
    take_statistics_as_wanted();
  }
}

// The program names this moment. In the outermost scope, with a SessionStay.
void take_statistics_at_mark();

// This process image is about to end without its destructors: what was asked is taken or given up.
void finish_statistics();

// It is about to filter its system calls: the same, and nothing is asked any more.
void end_statistics();

}  // namespace memlens::interposer

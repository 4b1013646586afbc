// What an allocator says of itself: how much it holds, and how much of that is in no block. In
// bytes, but for numbers of arenas.
#pragma once

#include <array>
#include <cstdint>

namespace memlens::format {

// Append, never renumber.
enum class AllocatorName : uint8_t { kGlibc = 1, kJemalloc = 2, kMimalloc = 3, kPymalloc = 4 };

// Why it was asked.
enum class StatisticsMoment : uint8_t {
  kRunning = 0,  // the collector wanted to know: memory had grown, or time had passed
  kMark = 1,     // the program named this moment
  kEnd = 2,      // the process was about to exit
};

struct AllocatorStatistics {
  // Taken from the kernel and not given back. glibc: its arenas and the blocks with mappings of
  // their own; jemalloc: what of it is in memory; mimalloc: what it has committed; pymalloc:
  // arenas.
  uint64_t held = 0;
  // Of held, what is in no block. Blocks in glibc's caches of threads count as blocks. Of mimalloc
  // not known: 0.
  uint64_t free = 0;
  // Of free, whole pages that the allocator gives back when it is asked to (malloc_trim; jemalloc's
  // purge): about, and some of them may not be in memory.
  uint64_t releasable = 0;
  uint64_t mapped = 0;  // of held, blocks with mappings of their own (glibc)
  uint64_t arenas = 0;  // how many
  // glibc: of held and of free, what is in the arenas that threads got.
  uint64_t thread_arenas_held = 0;
  uint64_t thread_arenas_free = 0;
  uint64_t retained = 0;  // beside held: address space without memory (jemalloc)

  bool operator==(const AllocatorStatistics&) const = default;
};

// In the order of a record of statistics. Append, never reorder.
inline constexpr std::array<uint64_t AllocatorStatistics::*, 8> kAllocatorStatisticsFields = {
    &AllocatorStatistics::held,
    &AllocatorStatistics::free,
    &AllocatorStatistics::releasable,
    &AllocatorStatistics::mapped,
    &AllocatorStatistics::arenas,
    &AllocatorStatistics::thread_arenas_held,
    &AllocatorStatistics::thread_arenas_free,
    &AllocatorStatistics::retained};

}  // namespace memlens::format

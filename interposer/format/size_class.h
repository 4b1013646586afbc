// Blocks that are likely to take each other's place in memory. FORMAT.md, "Size classes".
//
// An address coded as the distance to the allocation before takes two to four bytes that no
// compressor can shorten: they were half of a compressed capture, and broke the repetitions that
// zstd lives on. But an allocator cuts the blocks of one size from one run, and first hands out the
// one that was freed last. So the distance is taken to the last of the block's class, allocated or
// freed. Events of bench/workloads after zstd level 1, in bytes an event, and what zstd takes:
//
//              by the last allocation   by the last of the class
//     objects         1.45  9.3 ns             0.80  6.6 ns
//     strings         1.00  6.9 ns             0.27  2.3 ns
//     real_ast        1.39  6.6 ns             0.87  4.7 ns
//     real_index      1.69 12.2 ns             0.71  5.3 ns
//     pandas_job      1.79 10.0 ns             1.13  6.7 ns
//     pylint_job      1.59  9.2 ns             0.78  5.9 ns
//     churn (C++)     2.89  4.0 ns             2.87  4.0 ns
//     words (C++)     2.40 10.2 ns             2.21 11.2 ns
//
// Encoding costs nearly what it did. Replayed alone, in ns an event: objects 5.1 and 5.6, strings
// 4.3 and 4.4, real_ast 5.2 and 5.5, real_index 5.4 and 5.4, pandas_job 6.8 and 6.9, pylint_job 6.2
// and 6.6, churn 6.2 and 6.8, words 5.1 and 6.0. In a program the class is found out from kind and
// size for each event: remembered beside the dictionary's entry it stood behind a second cache
// miss, which cost 1 to 2 ns (record_allocation in objects: 400, 565 and 430 samples of cpu-clock).
//
// What was tried beside it, by the same measure:
//   - Frees of glibc's blocks too: churn 2.55 bytes, for 8.6 ns, since half of what glibc will hand
//     out next is predicted, and the processor cannot tell which half.
//   - A chain of the freed blocks of each class, whose head is the next address: objects 0.70,
//     pylint_job 0.67, pandas_job 1.03, churn 2.26, for 0.3-0.5 ns an event (churn 2).
//   - The dictionary slot left out where it follows the one before as it did last time: objects
//     0.73, strings 0.22, pylint_job 0.75, for 0.4-0.5 ns.
//   - Columns (tags, slots, addresses, distances) instead of records: 10-30 % less, but the program
//     would write to four places or the collector would read every event.
#pragma once

#include <cstdint>

#include "interposer/format/allocation_kind.h"

namespace memlens::format {

inline constexpr unsigned kSizeClasses = 128;
inline constexpr unsigned kNoSizeClass = 0;  // no block is in it
inline constexpr unsigned kFirstMallocClass = 64;

// In units of 16 bytes: 1-32 for the small blocks of CPython's allocator; 66-127 for all others, as
// glibc rounds them, the last for what is larger.
constexpr uint8_t size_class(AllocationKind kind, uint32_t size_bytes) {
  constexpr uint32_t kMaxPythonBytes = 512;
  if (allocator_of(kind) == Allocator::kPython && size_bytes <= kMaxPythonBytes) {
    return static_cast<uint8_t>(size_bytes == 0 ? 1 : (size_bytes + 15) / 16);
  }
  constexpr uint64_t kMinUnits = 2;
  constexpr uint64_t kMaxUnits = kSizeClasses - 1 - kFirstMallocClass;
  const uint64_t units = (uint64_t{size_bytes} + 23) / 16;
  return static_cast<uint8_t>(kFirstMallocClass + (units < kMinUnits   ? kMinUnits
                                                   : units > kMaxUnits ? kMaxUnits
                                                                       : units));
}

// The class whose next block is likely to be a block of `size_class` that was just freed.
constexpr uint8_t size_class_of_freed(uint8_t size_class) {
  return size_class < kFirstMallocClass ? size_class : kNoSizeClass;
}

}  // namespace memlens::format

// Which function made a block, and which layer of the program it asked.
#pragma once

#include <cstdint>

namespace memlens::format {

// Values are part of the format: append, never renumber. From 64 on they are functions that a
// process registered (heap.h).
enum class AllocationKind : uint8_t {
  kMalloc = 0,
  kCalloc = 1,
  kRealloc = 2,
  kReallocarray = 3,
  kPosixMemalign = 4,
  kAlignedAlloc = 5,
  kMemalign = 6,
  kValloc = 7,
  kPvalloc = 8,
  kMallocx = 9,
  kRallocx = 10,
  kXallocx = 11,
  kPyMemMalloc = 12,
  kPyMemCalloc = 13,
  kPyMemRealloc = 14,
  kPyObjectMalloc = 15,
  kPyObjectCalloc = 16,
  kPyObjectRealloc = 17,
  kMmap = 18,
  kMremap = 19,
  kBrk = 20,
  kOperatorNew = 21,  // of an allocator with operators of its own
};
inline constexpr uint8_t kAllocationKindCount = 22;

// The heaps every reader knows: the layer whose accounts a block is in. Each block is in exactly
// one. Of a registered function this says nothing (reader/capture/heap_table.h does).
enum class Allocator : uint8_t { kMalloc = 0, kPython = 1, kMmap = 2 };
inline constexpr unsigned kAllocatorCount = 3;

constexpr Allocator allocator_of(AllocationKind kind) {
  if (kind >= AllocationKind::kPyMemMalloc && kind <= AllocationKind::kPyObjectRealloc) {
    return Allocator::kPython;
  }
  if (kind >= AllocationKind::kMmap && kind <= AllocationKind::kBrk) return Allocator::kMmap;
  return Allocator::kMalloc;
}

constexpr const char* allocator_name(Allocator allocator) {
  constexpr const char* kNames[kAllocatorCount] = {"malloc", "python", "mmap"};
  return kNames[static_cast<unsigned>(allocator)];
}

// The function's name as users know it; "unknown" for a value from a later version.
constexpr const char* allocation_kind_name(AllocationKind kind) {
  constexpr const char* kNames[kAllocationKindCount] = {"malloc",
                                                        "calloc",
                                                        "realloc",
                                                        "reallocarray",
                                                        "posix_memalign",
                                                        "aligned_alloc",
                                                        "memalign",
                                                        "valloc",
                                                        "pvalloc",
                                                        "mallocx",
                                                        "rallocx",
                                                        "xallocx",
                                                        "PyMem_Malloc",
                                                        "PyMem_Calloc",
                                                        "PyMem_Realloc",
                                                        "PyObject_Malloc",
                                                        "PyObject_Calloc",
                                                        "PyObject_Realloc",
                                                        "mmap",
                                                        "mremap",
                                                        "brk",
                                                        "operator new"};
  const unsigned index = static_cast<unsigned>(kind);
  return index < kAllocationKindCount ? kNames[index] : "unknown";
}

}  // namespace memlens::format

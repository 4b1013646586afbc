// Heaps: where blocks live, and what asks for them.
//
// malloc, Python's allocators and the program's mappings are known to every reader. Others, such as
// an allocator that a library brings along, are registered: a metadata record describes the heap,
// another each function that allocates from it, whose number stands in events where an
// AllocationKind does. FORMAT.md, "Heaps".
#pragma once

#include <cstdint>

#include "interposer/format/allocation_kind.h"

namespace memlens::format {

// Values are part of the format: append, never renumber.
enum class HeapFamily : uint8_t {
  kMalloc = 0,   // blocks by functions like malloc
  kMapping = 1,  // page ranges
  kPython = 2,   // Python objects and their parts
  kDevice = 3,   // memory of a device
};

constexpr HeapFamily family_of(Allocator allocator) {
  constexpr HeapFamily kFamilies[kAllocatorCount] = {HeapFamily::kMalloc, HeapFamily::kPython,
                                                     HeapFamily::kMapping};
  return kFamilies[static_cast<unsigned>(allocator)];
}

// Numbers of heaps below this are Allocators, numbers of functions AllocationKinds.
inline constexpr uint32_t kFirstRegisteredHeap = 8;
inline constexpr unsigned kFirstRegisteredKind = 64;
inline constexpr unsigned kLastRegisteredKind = 255;

// A heap whose addresses are not the process's own has the number of its address space, from 1, in
// the upper bits of its blocks' addresses, so that one number stands for space and address.
inline constexpr unsigned kAddressSpaceShift = 57;
inline constexpr uint32_t kMaxAddressSpace = 127;

constexpr uint64_t address_in_space(uint32_t space, uint64_t address) {
  return uint64_t{space} << kAddressSpaceShift | address;
}

}  // namespace memlens::format

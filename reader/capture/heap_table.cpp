#include "reader/capture/heap_table.h"

#include <algorithm>

namespace memlens::reader {

using format::AllocationKind;
using format::Allocator;

HeapTable::HeapTable() {
  for (unsigned i = 0; i < format::kAllocatorCount; ++i) {
    const auto allocator = static_cast<Allocator>(i);
    heaps_.push_back({format::allocator_name(allocator), format::family_of(allocator), 0});
  }
  for (unsigned i = 0; i < format::kAllocationKindCount; ++i) {
    const auto kind = static_cast<AllocationKind>(i);
    functions_[i] = {format::allocation_kind_name(kind),
                     static_cast<size_t>(format::allocator_of(kind))};
  }
}

std::vector<AllocationKind> HeapTable::kinds() const {
  std::vector<AllocationKind> kinds;
  for (unsigned i = 0; i < functions_.size(); ++i) {
    if (i < format::kAllocationKindCount || (i >= format::kFirstRegisteredKind && i < next_)) {
      kinds.push_back(static_cast<AllocationKind>(i));
    }
  }
  return kinds;
}

size_t HeapTable::find_or_add_heap(const Heap& heap) {
  const auto found = std::ranges::find(heaps_, heap);
  if (found != heaps_.end()) return static_cast<size_t>(found - heaps_.begin());
  heaps_.push_back(heap);
  return heaps_.size() - 1;
}

AllocationKind HeapTable::add(const Heap& heap, std::string_view function) {
  for (unsigned i = format::kFirstRegisteredKind; i < next_; ++i) {
    if (functions_[i].name == function && heaps_[functions_[i].heap] == heap)
      return static_cast<AllocationKind>(i);
  }
  if (next_ >= format::kLastRegisteredKind) {
    functions_[format::kLastRegisteredKind] = {"other functions",
                                               find_or_add_heap({"other heaps", {}, 0})};
    next_ = format::kLastRegisteredKind + 1;
    return static_cast<AllocationKind>(format::kLastRegisteredKind);
  }
  functions_[next_] = {std::string(function), find_or_add_heap(heap)};
  return static_cast<AllocationKind>(next_++);
}

}  // namespace memlens::reader

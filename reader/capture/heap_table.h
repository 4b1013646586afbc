// The heaps of a capture and the functions that allocate from them (interposer/format/heap.h).
//
// Processes number what they register for themselves. A capture has one numbering, in which a heap
// of the same name and nature is one, whichever processes have it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "interposer/format/allocation_kind.h"
#include "interposer/format/heap.h"

namespace memlens::reader {

struct Heap {
  std::string name;
  format::HeapFamily family = format::HeapFamily::kMalloc;
  uint32_t address_space = 0;  // 0: the process's own

  bool operator==(const Heap&) const = default;
};

class HeapTable {
 public:
  HeapTable();  // those every reader knows

  // By number. The first kAllocatorCount are format::Allocators.
  const std::vector<Heap>& heaps() const { return heaps_; }

  // Precondition for both: none. A kind that nobody described is an unknown function of malloc's.
  size_t heap_of(format::AllocationKind kind) const { return slot(kind).heap; }
  std::string_view function_name(format::AllocationKind kind) const { return slot(kind).name; }
  bool is_mapping(format::AllocationKind kind) const {
    return heaps_[heap_of(kind)].family == format::HeapFamily::kMapping;
  }

  // Ascending, those with a name.
  std::vector<format::AllocationKind> kinds() const;

  // The capture's number of a registered function. When all are used up the rest share the last.
  format::AllocationKind add(const Heap& heap, std::string_view function);

 private:
  struct Function {
    std::string name = "unknown";
    size_t heap = 0;
  };

  const Function& slot(format::AllocationKind kind) const {
    return functions_[static_cast<uint8_t>(kind)];
  }
  size_t find_or_add_heap(const Heap& heap);

  std::vector<Heap> heaps_;
  std::array<Function, format::kLastRegisteredKind + 1> functions_;
  unsigned next_ = format::kFirstRegisteredKind;
};

}  // namespace memlens::reader

// Which loaded object an address of code lies in, and where that keeps its unwind information.
//
// glibc 2.35 has _dl_find_object, without locks, made for unwinders. Before that, our own list of
// what is loaded answers (loader_list.h). Asked once per new address, not per event.
#pragma once

#include <cstdint>

#include "interposer/stacks/unwind_cfi.h"

namespace memlens::interposer::unwind {

struct CodeObject {
  // What the loader says holds the address: the whole object, or one segment of an executable that
  // leaves gaps between them (-z max-page-size).
  uintptr_t start;  // 0: empty
  uintptr_t end;
  uintptr_t load_bias;
  uint64_t place_tag;         // module_places.h
  const void* identity_link;  // the loader's, to see that it is still the same object
  bool is_program;
  UnwindSection section;  // without segments when no program headers were found: cached as such

  bool holds_code(uintptr_t address) const {
    return section.segments.from(reinterpret_cast<const void*>(address), PF_R | PF_X).begin !=
           nullptr;
  }
};

// The objects a thread looked at last: saves reading their headers again. In zeroed memory.
struct ObjectCache {
  static constexpr unsigned kEntries = 8;
  CodeObject entries[kEntries];
  unsigned next;
};

// nullptr: no object has code there. The result is good until the cache's next use.
const CodeObject* find_object(uintptr_t address, ObjectCache& cache);

// Whether the instruction before `address` is a call, in code of a loaded object.
bool is_return_address(uintptr_t address, ObjectCache& cache);

}  // namespace memlens::interposer::unwind

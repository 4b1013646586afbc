// Which loaded object an address of code lies in, and where that keeps its unwind information.
//
// glibc 2.35 has _dl_find_object, without locks, made for unwinders. Before that there is only
// dl_iterate_phdr, which takes the loader's lock; it is asked once per new address, not per event.
#pragma once

#include <cstdint>

#include "interposer/stacks/unwind_cfi.h"

namespace memlens::interposer::unwind {

struct CodeObject {
  static constexpr int kMaxCodeRanges = 3;
  uintptr_t start;  // 0: empty
  uintptr_t end;
  uintptr_t load_bias;
  uint64_t place_tag;         // module_places.h
  const void* identity_link;  // the loader's, to see that it is still the same object
  bool is_program;
  UnwindSection section;
  ByteRange code[kMaxCodeRanges];
  int code_count;

  bool holds_code(uintptr_t address) const {
    for (int i = 0; i < code_count; ++i) {
      if (code[i].contains(reinterpret_cast<const void*>(address))) return true;
    }
    return false;
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

// A block that is alive, as those are shown it who carry it over to another file.
#pragma once

#include <cstdint>

#include "interposer/format/allocation_kind.h"

namespace memlens::reader {

// Of a sample the size is the block's own. A mapping that was unmapped in parts comes as its
// pieces.
struct LiveVisit {
  uint32_t thread = 0;  // that allocated it: index within the process
  uint32_t node = 0;
  format::AllocationKind kind{};
  bool is_mapping = false;
  uint32_t pool = 0;  // of the program's own; 0: of none
  uint64_t address = 0;
  uint64_t size_bytes = 0;
  uint64_t interval_bytes = 0;  // 0: no sample
};

}  // namespace memlens::reader

// Tables indexed by ids from the file: how far an id may be ahead of what has been seen.
#pragma once

#include <cstdint>

#include "reader/byte_view.h"

namespace memlens::reader {

// Ids count up from 1, but threads write their records in any order and a capture that was cut may
// lack some. An id far beyond the number of records before it is damage, and must not cost memory.
inline void check_id(uint32_t id, uint64_t records_before, const char* what) {
  constexpr uint64_t kMaxGap = 1u << 20;
  if (id == 0 || id > 2 * records_before + kMaxGap)
    throw PayloadError(std::string("impossible ") + what + " id " + std::to_string(id));
}

}  // namespace memlens::reader

// When a recording goes on in another file.
#pragma once

#include <cstdint>

namespace memlens::recording {

struct RotationOptions {
  uint64_t max_bytes = 0;  // of one file; 0: only when somebody asks
  unsigned keep = 3;       // files beside the one that is written
  bool given = false;      // one of the two: then SIGHUP asks for it
};

}  // namespace memlens::recording

// What bounds the memory of the program that was run.
#pragma once

#include <cstdint>
#include <optional>

namespace memlens::reader {

class Capture;

struct MemoryLimit {
  bool of_cgroup = false;  // else all the machine has
  uint64_t limit_bytes = 0;
  uint64_t used_bytes = 0;  // by all it bounds, shortly before
  uint64_t kills = 0;       // by the kernel because of it, while the process lived
};

// The limit that the program would meet first, as it was when its last process image ended;
// nothing: it has not ended, or ended before anybody looked.
std::optional<MemoryLimit> limit_of_program(const Capture& capture);

// The limit for which the kernel killed the program that was run; nothing: it did not, or it is not
// known.
std::optional<MemoryLimit> limit_that_killed(const Capture& capture);

}  // namespace memlens::reader

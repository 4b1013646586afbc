// The few frames that are JSON: session, process end, trailer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reader/capture/capture_info.h"
#include "reader/capture/memory_limit.h"

namespace memlens::reader {

struct SessionFrame {
  std::vector<std::string> command;
  std::string working_directory;
  std::string hostname;
  std::string recorded_by;
  bool native_stacks = false;
  bool python_allocators = false;
  uint64_t sample_bytes = 0;
  std::optional<AttachedInfo> attached;
};

struct ProcessEndFrame {
  uint32_t process = 0;
  uint64_t ticks = 0;           // when it ended, or by when
  uint64_t earliest_ticks = 0;  // 0: it ended just then
  std::optional<int> exit_code;
  std::optional<int> signal;
  uint64_t skipped_calls = 0;
  uint64_t refused_definitions = 0;
  std::optional<MemoryLimit> memory_limit;
};

struct TrailerFrame {
  uint64_t end_ticks = 0;
  uint64_t end_monotonic_ns = 0;
  std::string reason;
  std::string failure;        // of a write that failed: why
  uint64_t failed_ticks = 0;  // ... and when
  uint64_t lost_processes = 0;
};

// Members that are missing or of another type keep their defaults; what is not JSON at all is a
// PayloadError.
SessionFrame parse_session(std::string_view json);
ProcessEndFrame parse_process_end(std::string_view json);
TrailerFrame parse_trailer(std::string_view json);

}  // namespace memlens::reader

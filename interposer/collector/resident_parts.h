// What a process has in memory: mapping by mapping, from /proc/<pid>/smaps, or less, and for next
// to nothing, from /proc/<pid>/status.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "interposer/format/resident_parts.h"

namespace memlens::collector {

// Of a text of smaps; what it does not say is 0.
format::ResidentParts parse_resident_parts(std::string_view smaps);

// Nothing when the process has gone or may not be looked at. The kernel walks the process's page
// tables for it, which takes 18 ms for a gigabyte of pages of 4 kB, and keeps the process from
// changing its mappings while it walks one of them.
std::optional<format::ResidentParts> read_resident_parts(int32_t pid);

// The kernel's running counts, which know nothing of pages that processes share: proportional and
// own are 0, stack is in anonymous, recorder in shared. Takes some 30 us.
std::optional<format::ResidentParts> count_resident_parts(int32_t pid);

}  // namespace memlens::collector

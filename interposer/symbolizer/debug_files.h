// Separate debug files: where distributions and build systems put the DWARF they strip.
#pragma once

#include <libelf.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace memlens::symbolizer {

// The GNU build id of an object file; empty when it has none.
std::string build_id_of(Elf* elf);

struct DebugFileQuery {
  std::string object_path;  // of the file whose debug information is wanted
  std::string build_id;     // raw bytes; empty: the file has none
  std::string debuglink;    // name in .gnu_debuglink (or alternate link); empty: none
  uint32_t debuglink_crc = 0;
};

struct DebugFile {
  int descriptor = -1;  // the caller closes it
  std::string path;
};

// Looks by build id, then by debuglink beside the object, in its .debug directory and below each
// of `directories`. A file counts only with the same build id, or, for an object without one, with
// the debuglink's checksum. `descriptor` is -1 when there is none.
DebugFile find_debug_file(const DebugFileQuery& query, std::span<const std::string> directories);

}  // namespace memlens::symbolizer

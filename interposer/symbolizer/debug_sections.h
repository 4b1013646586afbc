// The sections of a debug file that are read here, byte by byte, and not by libdw.
#pragma once

#include <elfutils/libdw.h>

#include <string_view>

#include "interposer/symbolizer/line_program.h"

namespace memlens::symbolizer {

// Uncompressed, and what libdw itself reads; empty: the file has none.
struct DebugSections {
  LineSections line;
  std::string_view info;           // .debug_info
  std::string_view abbreviations;  // .debug_abbrev
};

// Views into what `dwarf` holds.
DebugSections debug_sections(Dwarf* dwarf);

}  // namespace memlens::symbolizer

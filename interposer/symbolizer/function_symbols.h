// Names from symbol tables: .symtab, .dynsym, and the compressed table in .gnu_debugdata.
#pragma once

#include <elfutils/libdwfl.h>

#include <cstdint>
#include <span>
#include <vector>

namespace memlens::symbolizer {

// The symbol that covers each address, null where none does. Only a symbol whose size reaches the
// address covers it: the nearest symbol below, which other tools take, names the wrong function in
// a stripped library. Assembly without sizes covers up to the next symbol of its section.
//
// The names live as long as the module. `addresses` ascend, in the module's terms.
std::vector<const char*> covering_symbols(Dwfl_Module* module, std::span<const uint64_t> addresses);

}  // namespace memlens::symbolizer

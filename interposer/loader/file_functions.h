// Functions that a loaded object keeps to itself: its dynamic symbols do not name them, the symbol
// table in its file does, unless it was stripped. That table is not mapped, so the file is read.
#pragma once

#include <cstddef>
#include <cstdint>

#include "interposer/loader/loader_list.h"

namespace memlens::interposer {

inline constexpr size_t kMaxFileNameBytes = 64;  // of a function; longer ones are not found

struct FileFunction {
  uintptr_t start;
  uintptr_t end;
  char name[kMaxFileNameBytes];
};

// Those whose name has one of `parts` in it and is wanted; returns how many, at most `most`. None
// when the file is not, or no longer, the one that is mapped. Reads the names of all functions
// (35 MB in polars, 25 ms), so ask for few objects. A few system calls and one mapping of its own;
// keeps errno.
size_t find_functions_in_file(const LoadedObject& object, const char* const* parts,
                              size_t part_count, bool (*is_wanted)(const char* name),
                              FileFunction* found, size_t most);

}  // namespace memlens::interposer

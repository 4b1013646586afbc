// For children that read debug files, which may be hostile: they may crash, run for ever or take
// all memory, and none of that may cost anybody else anything.
#pragma once

#include <cstdint>

namespace memlens::symbolizer {

// The calling process dies with its parent, at a crash without a core or a word, and for want of
// memory beyond `most_bytes`.
void become_expendable(uint64_t most_bytes);

}  // namespace memlens::symbolizer

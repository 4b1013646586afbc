// Allocators that a file has inside under names of their own: je_malloc, _rjem_malloc of a Rust
// program, mi_malloc. Nothing of them passes through the interposer's malloc.
#pragma once

#include <string_view>
#include <vector>

#include "interposer/symbolizer/symbolizer.h"

namespace memlens::symbolizer {

// Their names, each once; none where the file has an interface that is recorded (malloc, Python's).
// Recognised by what they print in front of their messages, so in stripped files too, or by the
// names of functions that the file defines.
std::vector<std::string_view> built_in_allocators(const ModuleImage& module,
                                                  const SymbolizerOptions& options);

}  // namespace memlens::symbolizer

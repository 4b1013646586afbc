// An allocator that a file has inside under names of its own: je_malloc, _rjem_malloc of a Rust
// program, mi_malloc. Nothing of it passes through the interposer's hooks.
#pragma once

#include <string_view>

#include "reader/symbolizer/symbolizer.h"

namespace memlens::reader {

// Its name; empty: there is none, or the file has an interface that is recorded (malloc, Python's).
// Recognised by what it prints in front of its messages, so in stripped files too.
std::string_view built_in_allocator(const ModuleImage& module, const SymbolizerOptions& options);

}  // namespace memlens::reader

// How whoever started this memlens would start it again: for commands that are shown to be typed.
#pragma once

#include <string>

namespace memlens::report::cli {

// "memlens", and "uv run memlens" or "uvx memlens" where the shell's PATH does not have it.
std::string typed_program();

}  // namespace memlens::report::cli

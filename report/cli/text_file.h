// Small files that reports are told to read.
#pragma once

#include <string>

namespace memlens::report::cli {

// All of it. Throws std::runtime_error: one line with path and reason.
std::string read_text_file(const std::string& path);

}  // namespace memlens::report::cli

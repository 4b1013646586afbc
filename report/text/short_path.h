// Paths as short as they stay clear: for terminals only, JSON has them whole.
#pragma once

#include <string>
#include <string_view>

#include "reader/capture/capture.h"

namespace memlens::report {

// Relative to the program's working directory, or to the folder Python or the compiler installs to:
// "app.py", "json/decoder.py", "numpy/core/numeric.py". Others are left as they are.
std::string_view short_path(std::string_view path, std::string_view working_directory);

// The file's name, an extension module's without the tag of the Python it is for: "libz.so.1",
// "_bz2.so".
std::string short_module(std::string_view path);

// "app.py:12", "libz.so.1" of native code without lines, empty where nothing is known. Printable.
std::string place_of(const reader::Frame& frame, std::string_view working_directory);

}  // namespace memlens::report

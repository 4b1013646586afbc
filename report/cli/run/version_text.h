#pragma once

#include <string>

namespace memlens::report::cli {

// "memlens 0.1.0", and in further lines what it was built with.
std::string version_text();

}  // namespace memlens::report::cli

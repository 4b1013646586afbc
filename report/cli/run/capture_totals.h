// The totals of a finished capture, in one line.
#pragma once

#include <string>

namespace memlens::report::cli {

// "1,204 allocations, 31.2 MB at the peak, 1.20 MB still allocated"; empty when the capture cannot
// be read or is so large that reading it would keep the user waiting.
std::string describe_totals(const std::string& path);

}  // namespace memlens::report::cli

// Everything the reader makes of a capture, as text: for golden files and for "reads the same".
#pragma once

#include <string>

namespace memlens::testing {

// Totals, sites with their stacks, timeline, processes, threads, diagnostics. When the capture is
// refused, the error's one line without the path.
std::string describe_capture(const std::string& path);

}  // namespace memlens::testing

// A finished capture, read back before it is called one.
#pragma once

#include <string>
#include <vector>

namespace memlens::report::cli {

struct CaptureCheck {
  std::string problem;  // why it cannot be read; empty: it can
  // What of it makes no sense and was left out.
  std::vector<std::string> left_out;
  // "1,204 allocations, 31.2 MB at the peak, 1.20 MB still allocated"; empty when the events were
  // not read.
  std::string totals;
  // The most important sentences of `memlens explain`.
  std::vector<std::string> findings;
  bool profiled_functions = false;  // the program asked for tables of their lines
};

// `events`: those as well, unless the capture is so large that it would keep the user waiting.
CaptureCheck check_capture(const std::string& path, bool events);

}  // namespace memlens::report::cli

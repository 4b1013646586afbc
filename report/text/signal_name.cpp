#include "report/text/signal_name.h"

#include <cstring>

namespace memlens::report {

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(signal);
}

// An exec continues the process that it replaces.
std::optional<int> ending_signal(const reader::CaptureInfo& info) {
  if (info.processes.empty()) return {};
  const int32_t first = info.processes.front().pid;
  std::optional<int> signal;
  for (const reader::ProcessInfo& process : info.processes) {
    if (process.pid == first) signal = process.signal;
  }
  return signal;
}

}  // namespace memlens::report

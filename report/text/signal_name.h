// What ended a program by force.
#pragma once

#include <optional>
#include <string>

#include "reader/capture/capture.h"

namespace memlens::report {

// "SIGKILL"; "signal 35" of those without a name.
std::string signal_name(int signal);

// The signal that ended the first process, if one did.
std::optional<int> ending_signal(const reader::CaptureInfo& info);

}  // namespace memlens::report

// The last step of a recording, before the trailer: what the stacks need to be read elsewhere is
// resolved on this machine and appended to the capture.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

#include "interposer/format/file_layout.h"

namespace memlens::symbolizer {
class InflatedFiles;
}

namespace memlens::recording {

struct FinishOptions {
  bool debuginfod = false;  // ask the servers in DEBUGINFOD_URLS for missing debug files
  bool source_text = true;  // store the text of the lines that stacks refer to
  symbolizer::InflatedFiles* inflated = nullptr;  // debug files that were made ready before
  bool quiet = false;                             // nothing on stderr
  bool progress = false;      // a line on stderr, when it takes long enough to wonder
  double limit_seconds = 60;  // after that, functions without files and lines
  double grace_seconds = 10;  // for that, and for handing over; then the work is given up
  const std::atomic<bool>* stop = nullptr;  // set when the user is tired of waiting
};

// Appends one frame to the capture. False: it could not be written.
using AppendToCapture =
    std::function<bool(format::FrameKind kind, uint32_t process, std::string_view payload)>;

// `path` is the capture as written so far, every frame of it flushed, without a trailer. Never
// throws: a failure is one warning on stderr and false, and the capture is good without the rest.
// The work is done by a child process, which takes what signal dispositions this one has.
bool finish_capture(const std::string& path, const FinishOptions& options,
                    const AppendToCapture& append);

}  // namespace memlens::recording

// What a capture needs to be read on another machine: its native addresses' names and the text of
// its source lines, as frames to append to it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "interposer/format/file_layout.h"
#include "interposer/symbolizer/resolve_files.h"
#include "reader/capture/capture.h"

namespace memlens::symbolizer {

struct CaptureSymbolsOptions {
  ResolveFilesOptions files;
  bool source_text = true;
};

struct CaptureSymbolsSummary {
  size_t addresses = 0;
  size_t addresses_with_lines = 0;
  size_t files = 0;
  size_t source_lines = 0;
  // What whoever recorded should hear now, each one line. The capture has them as notes.
  std::vector<std::string> warnings;
};

// Appends one frame. Throws to end the work.
using AppendFrame =
    std::function<void(format::FrameKind kind, uint32_t process, const std::string& payload)>;

// Reads no events. Throws what `append` throws, and CaptureError.
CaptureSymbolsSummary resolve_capture(const reader::Capture& capture,
                                      const CaptureSymbolsOptions& options,
                                      const AppendFrame& append);

}  // namespace memlens::symbolizer

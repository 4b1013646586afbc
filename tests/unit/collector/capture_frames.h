// Reads a capture frame by frame, plainly, for the tests of what writes it.
#pragma once

#include <string>
#include <vector>

#include "interposer/format/file_layout.h"

namespace memlens::testing {

struct ReadFrame {
  format::FrameHeader header;
  std::string payload;  // decompressed

  format::FrameKind kind() const { return static_cast<format::FrameKind>(header.kind); }
};

// A file without a name, open for writing and reading.
int make_capture_file();

// Every frame of the file; checks magics, checksums and that the file ends after a whole frame.
std::vector<ReadFrame> read_frames(int fd);

}  // namespace memlens::testing

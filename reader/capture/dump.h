// Every record of a capture, for `memlens dump`: in file order, nothing merged or summed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "reader/capture/capture.h"

namespace memlens::reader {

// One record, or the header of one frame (`type` "frame"). The views live for the call only.
struct DumpRecord {
  uint64_t frame_offset = 0;  // of the frame it is in, in the file
  uint32_t process = 0;
  uint32_t thread = 0;    // 0: not a thread's
  std::string_view type;  // "allocate", "free", "string", "clock", ...
  std::string_view text;  // "name=value" fields, separated by blanks; strings quoted and escaped
};

// Throws CaptureError on damage, after the records before it.
void for_each_record(const Capture& capture, const std::function<void(const DumpRecord&)>& visit);

}  // namespace memlens::reader

// The reader's one error: turned into one line by main.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace memlens::reader {

class CaptureError : public std::runtime_error {
 public:
  // `what()` is "<path>: at byte <offset>: <reason>", without the offset when it says nothing.
  CaptureError(const std::string& path, uint64_t offset, const std::string& reason)
      : std::runtime_error(path + ": at byte " + std::to_string(offset) + ": " + reason) {}
  CaptureError(const std::string& path, const std::string& reason)
      : std::runtime_error(path + ": " + reason) {}
};

}  // namespace memlens::reader

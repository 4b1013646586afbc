// A file of /proc as lines. Memory on the stack alone; as in system_call.h, any context.
#pragma once

#include <cstddef>
#include <cstdint>

#include "interposer/platform/system_call.h"

namespace memlens::platform {

class ProcLines {
 public:
  // Of a text of more than `most_bytes`, the beginning.
  ProcLines(const char* path, size_t most_bytes)
      : fd_(interposer::system_call::open_file(path, O_RDONLY | O_CLOEXEC)),
        left_bytes_(most_bytes) {}
  ~ProcLines() {
    if (fd_ >= 0) interposer::system_call::close_file(fd_);
  }
  ProcLines(const ProcLines&) = delete;
  ProcLines& operator=(const ProcLines&) = delete;

  // The next line, cut to what matters of it; nullptr: that was all.
  const char* next() {
    size_t length = 0;
    for (;;) {
      if (position_ == filled_ && !fill()) return nullptr;
      const char c = buffer_[position_++];
      if (c == '\n') break;
      if (length + 1 < sizeof line_) line_[length++] = c;
    }
    line_[length] = '\0';
    return line_;
  }
  // Whether that was all there is.
  bool at_end() const { return at_end_; }

 private:
  bool fill() {
    if (fd_ < 0 || left_bytes_ == 0) return false;
    const long count = interposer::system_call::read_file(fd_, buffer_, sizeof buffer_);
    at_end_ = count == 0;
    if (count <= 0) return false;
    const auto bytes = static_cast<size_t>(count);
    left_bytes_ -= bytes < left_bytes_ ? bytes : left_bytes_;
    filled_ = bytes;
    position_ = 0;
    return true;
  }

  int fd_;
  size_t left_bytes_;
  size_t position_ = 0;
  size_t filled_ = 0;
  bool at_end_ = false;
  char buffer_[4096];
  char line_[128];
};

inline uint64_t parse_hex(const char*& text) {
  uint64_t value = 0;
  for (;; ++text) {
    const char c = *text;
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return value;
    value = value << 4 | static_cast<uint64_t>(digit);
  }
}

}  // namespace memlens::platform

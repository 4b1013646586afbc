// One line on the program's stderr, made without libc formatting or allocation: callable anywhere.
#pragma once

#include <cstddef>
#include <cstdint>

namespace memlens::interposer {

// Text built in a fixed buffer; what does not fit is cut.
class Line {
 public:
  Line& text(const char* value);
  Line& number(uint64_t value);
  const char* c_str() const { return buffer_; }
  size_t size() const { return length_; }

 private:
  char buffer_[512] = {};
  size_t length_ = 0;
};

// Writes "memlens: <line>\n" to descriptor 2 in one write; keeps errno.
void report_line(const Line& line);

}  // namespace memlens::interposer

// Text that somebody prints, told line by line. In a copy of the process alone, as making a stream
// allocates.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <cstdio>

namespace memlens::interposer {

// Of longer lines, the beginning.
class LineBuffer {
 public:
  template <typename TakeLine>
  void add(const char* text, uint64_t bytes, TakeLine take_line) {
    for (uint64_t i = 0; i < bytes; ++i) {
      if (text[i] != '\n') {
        if (length_ + 1 < kLineBytes) line_[length_++] = text[i];
        continue;
      }
      line_[length_] = '\0';
      length_ = 0;
      take_line(line_);
    }
  }

 private:
  static constexpr unsigned kLineBytes = 256;
  char line_[kLineBytes];
  unsigned length_ = 0;
};

// What is printed to `print`'s stream goes to `text.add`. False: no stream, or `print` failed.
template <typename Text, typename Print>
bool take_text(Text& text, Print print) {
  cookie_io_functions_t functions{};
  functions.write = [](void* cookie, const char* bytes, size_t count) {
    static_cast<Text*>(cookie)->add(bytes, count);
    return static_cast<ssize_t>(count);
  };
  static char buffer[4096];
  FILE* stream = fopencookie(&text, "w", functions);
  if (stream == nullptr) return false;
  setvbuf(stream, buffer, _IOFBF, sizeof buffer);
  return print(stream) && fflush(stream) == 0;
}

}  // namespace memlens::interposer

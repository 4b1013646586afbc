#include "interposer/guest/diagnostics.h"

#include "interposer/platform/system_call.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

namespace memlens::interposer {

Line& Line::text(const char* value) {
  while (*value != '\0' && length_ + 1 < sizeof buffer_) buffer_[length_++] = *value++;
  buffer_[length_] = '\0';
  return *this;
}

Line& Line::number(uint64_t value) {
  char digits[21];
  char* start = digits + sizeof digits - 1;
  *start = '\0';
  do {
    *--start = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  return text(start);
}

void report_line(const Line& line) {
  static constexpr char kPrefix[] = "memlens: ";
  char out[sizeof kPrefix + 512 + 1];
  size_t length = sizeof kPrefix - 1;
  std::memcpy(out, kPrefix, length);
  std::memcpy(out + length, line.c_str(), line.size());
  length += line.size();
  out[length++] = '\n';
  const int saved_errno = errno;
  system_call::write_file(2, out, length);
  errno = saved_errno;
}

}  // namespace memlens::interposer

// The program's environment, without getenv: the first look at it comes before libc is ready.
#pragma once

#include <unistd.h>

#include <cstring>

namespace memlens::interposer {

// The value of `name` in place, or null.
inline char* environment_value(const char* name) {
  const size_t length = std::strlen(name);
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') {
      return *entry + length + 1;
    }
  }
  return nullptr;
}

}  // namespace memlens::interposer

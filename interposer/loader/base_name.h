// The last part of a path: all of it where it has no slash. Any context.
#pragma once

#include <cstring>

namespace memlens::interposer {

inline const char* base_name(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash != nullptr ? slash + 1 : path;
}

}  // namespace memlens::interposer

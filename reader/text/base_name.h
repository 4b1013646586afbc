// The last part of a path: all of it where it has no slash, nothing where it ends in one.
#pragma once

#include <string_view>

namespace memlens::reader {

inline std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace memlens::reader

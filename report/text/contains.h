// C++23's string_view::contains().
#pragma once

#include <string_view>

namespace memlens::report {

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace memlens::report

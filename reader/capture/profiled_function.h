// A function whose lines the program asked a table of.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace memlens::reader {

struct ProfiledFunction {
  std::string_view file;  // of the capture's string pool, as name is
  std::string_view name;
  uint32_t first_line = 0;
  uint32_t line_count = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): what clang-tidy 14 says of a defaulted comparison
  auto operator<=>(const ProfiledFunction&) const = default;
};

}  // namespace memlens::reader

// A curve in one line of text.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace memlens::report {

// At most `columns` wide, one column a value where there is room; else each shows the highest of
// several. Heights are parts of the highest value.
std::string sparkline(std::span<const uint64_t> values, size_t columns, bool unicode);

}  // namespace memlens::report

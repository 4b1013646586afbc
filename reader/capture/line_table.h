// CPython's tables from instruction to line, in the three forms its versions have had.
#pragma once

#include <cstdint>
#include <string_view>

#include "interposer/format/metadata_records.h"

namespace memlens::reader {

// The line an instruction belongs to; 0 when the table says it has none. `instruction` is the byte
// offset plus one; 0: the frame has not started and is on the function's first line. What the table
// does not reach (it was cut, or is of no known format) is on the first line too.
uint32_t line_of_instruction(format::LineTableFormat format, std::string_view table,
                             uint32_t first_line, uint32_t instruction);

}  // namespace memlens::reader

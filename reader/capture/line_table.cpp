#include "reader/capture/line_table.h"

#include <cstddef>

namespace memlens::reader {

using format::LineTableFormat;

namespace {

uint32_t as_line(int64_t line) {
  return line > 0 && line <= UINT32_MAX ? static_cast<uint32_t>(line) : 0;
}

uint8_t byte_at(std::string_view table, size_t index) { return static_cast<uint8_t>(table[index]); }

// 3.8, 3.9. Pairs: offset delta (unsigned), line delta (signed) that holds from that offset on.
uint32_t line_in_lnotab(std::string_view table, int64_t line, int64_t offset) {
  int64_t start = 0;
  for (size_t i = 0; i + 1 < table.size(); i += 2) {
    start += byte_at(table, i);
    if (start > offset) break;
    line += static_cast<int8_t>(table[i + 1]);
  }
  return as_line(line);
}

// 3.10. Pairs: length of a range (unsigned), line delta (signed, -128: the range has no line).
uint32_t line_in_linetable310(std::string_view table, int64_t first_line, int64_t offset) {
  constexpr int8_t kNoLine = -128;
  int64_t line = first_line;
  int64_t end = 0;
  for (size_t i = 0; i + 1 < table.size(); i += 2) {
    end += byte_at(table, i);
    const auto delta = static_cast<int8_t>(table[i + 1]);
    if (delta != kNoLine) line += delta;
    if (end > offset) return delta == kNoLine ? 0 : as_line(line);
  }
  return as_line(first_line);
}

// 3.11 and newer. Entries begin with a byte whose top bit is set: 1, code (4 bits), units - 1 (3
// bits); a unit is two bytes of bytecode. Then come bytes that depend on the code: columns mostly,
// which we skip.
class Locations {
 public:
  explicit Locations(std::string_view table) : table_(table) {}

  uint32_t line_at(int64_t first_line, int64_t offset) {
    int64_t line = first_line;
    int64_t end = 0;
    while (next_ < table_.size()) {
      const uint8_t head = byte_at(table_, next_++);
      const unsigned code = head >> 3 & 15;
      end += 2 * ((head & 7) + 1);
      bool has_line = true;
      if (code == 15) {  // no location
        has_line = false;
      } else if (code == 14) {  // long form: line delta, end line delta, two columns
        line += read_signed();
        for (int i = 0; i < 3; ++i) read_unsigned();
      } else if (code == 13) {  // no columns
        line += read_signed();
      } else if (code >= 10) {  // one line: delta 0, 1 or 2, two column bytes
        line += code - 10;
        next_ += 2;
      } else {  // short form, the same line: one byte
        next_ += 1;
      }
      if (end > offset) return has_line ? as_line(line) : 0;
    }
    return as_line(first_line);
  }

 private:
  // Six bits a byte, least significant first, bit 6 set on all but the last.
  uint64_t read_unsigned() {
    uint64_t value = 0;
    for (unsigned shift = 0; next_ < table_.size(); shift += 6) {
      const uint8_t byte = byte_at(table_, next_++);
      if (shift < 32) value |= uint64_t{byte & 63u} << shift;
      if ((byte & 64) == 0) break;
    }
    return value;
  }
  // The sign is the lowest bit.
  int64_t read_signed() {
    const uint64_t value = read_unsigned();
    const auto magnitude = static_cast<int64_t>(value >> 1);
    return (value & 1) != 0 ? -magnitude : magnitude;
  }

  std::string_view table_;
  size_t next_ = 0;
};

}  // namespace

uint32_t line_of_instruction(LineTableFormat format, std::string_view table, uint32_t first_line,
                             uint32_t instruction) {
  if (instruction == 0) return first_line;
  const int64_t offset = int64_t{instruction} - 1;
  switch (format) {
    case LineTableFormat::kLnotab:
      return line_in_lnotab(table, first_line, offset);
    case LineTableFormat::kLinetable310:
      return line_in_linetable310(table, first_line, offset);
    case LineTableFormat::kLocations311:
      return Locations(table).line_at(first_line, offset);
    case LineTableFormat::kNone:
      break;
  }
  return first_line;
}

}  // namespace memlens::reader

// A unit's line number program, read from the bytes of .debug_line (DWARF 2 to 5).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "interposer/symbolizer/byte_cursor.h"

namespace memlens::symbolizer {

// Uncompressed; empty: the file has none.
struct LineSections {
  std::string_view lines;         // .debug_line
  std::string_view line_strings;  // .debug_line_str
  std::string_view strings;       // .debug_str
};

// The file table and the rows that a few addresses need, in one pass that keeps nothing else:
// libdw's own table takes 84 bytes and 75 ns a row, which is 35 of the 45 ms it took to resolve 600
// addresses of libpython (440,000 rows). This takes 9 ns a row.
class LineProgram {
 public:
  // `compilation_directory` is the unit's DW_AT_comp_dir. All texts stay in the sections.
  LineProgram(const LineSections& sections, uint64_t offset,
              std::string_view compilation_directory);

  struct File {
    std::string_view name;
    std::string_view directory;  // which a relative name is in; empty: unknown
  };
  // By the numbers that rows and DW_AT_call_file use; empty where the table is damaged.
  const std::vector<File>& files() const { return files_; }

  struct Row {
    uint64_t address = 0;
    uint64_t file = 0;
    int64_t line = 0;
    bool is_known = false;  // false: no row covers the address
  };
  // Of each of `addresses`, which ascend, the row it belongs to. In a damaged program no row is to
  // be trusted: none is known.
  std::vector<Row> rows_of(std::span<const uint64_t> addresses) const;

 private:
  struct Form {
    uint64_t content = 0;
    uint64_t form = 0;
  };

  bool read_header(std::string_view unit);
  bool read_old_tables(ByteCursor tables);
  bool read_tables(ByteCursor tables);
  bool read_entries(ByteCursor& tables, std::vector<File>& entries, bool are_files);
  bool read_text(ByteCursor& tables, uint64_t form, std::string_view& text) const;
  bool pass_value(ByteCursor& tables, uint64_t form, uint64_t& value) const;

  const LineSections& sections_;
  std::string_view compilation_directory_;
  std::vector<std::string_view> directories_;
  std::vector<File> files_;

  // Of the header.
  bool is_64_bit_ = false;
  uint16_t version_ = 0;
  uint8_t minimum_instruction_ = 1;
  uint8_t operations_ = 1;  // an instruction may hold, on machines with very long ones
  int8_t line_base_ = 0;
  uint8_t line_range_ = 0;
  uint8_t opcode_base_ = 0;
  std::string_view opcode_lengths_;  // from opcode 1 on
  std::string_view program_;
};

}  // namespace memlens::symbolizer

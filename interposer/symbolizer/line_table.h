// A unit's line table: address to source file and line.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "interposer/symbolizer/line_program.h"

namespace memlens::symbolizer {

class LineTable {
 public:
  // `addresses` ascend, in the DWARF's own terms.
  LineTable(const LineSections& sections, Dwarf_Die unit, std::span<const uint64_t> addresses);

  static constexpr size_t kNoFile = SIZE_MAX;
  struct Place {
    size_t file = kNoFile;  // below file_count()
    uint32_t line = 0;
  };
  Place place_of(size_t address_index) const;

  // The file and line an inlined subroutine was called from.
  Place call_site(Dwarf_Die& inlined) const;

  size_t file_count() const { return program_.files().size(); }
  std::string path(size_t file) const;

 private:
  size_t known_file(uint64_t number) const;

  std::string_view directory_;  // where the unit was compiled; empty: unknown
  LineProgram program_;
  std::vector<LineProgram::Row> rows_;
};

// "/a/./b/../c.h" as "/a/c.h". Text only: links are not followed, nothing need exist.
std::string normal_path(std::string_view path);

// A file of a line table as one path. Distributions map the build's directory to a relative one
// ("./malloc"), which some of a table's files then already begin with. `directory` may be empty.
std::string source_path(std::string_view directory, std::string_view file);

}  // namespace memlens::symbolizer

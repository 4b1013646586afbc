// A unit's line table: address to source file and line.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace memlens::reader {

class LineTable {
 public:
  explicit LineTable(Dwarf_Die unit);

  struct Place {
    const char* file = nullptr;  // null: unknown; lives as long as the Dwarf
    uint32_t line = 0;
  };
  Place find(uint64_t address) const;

  // The file and line an inlined subroutine was called from.
  Place call_site(Dwarf_Die& inlined) const;

  size_t row_count() const { return row_count_; }
  // Where the unit was compiled, to which relative files refer; null: unknown.
  const char* directory() const { return directory_; }

 private:
  const char* directory_ = nullptr;
  Dwarf_Lines* lines_ = nullptr;
  size_t row_count_ = 0;
  Dwarf_Files* files_ = nullptr;
  size_t file_count_ = 0;
};

// "/a/./b/../c.h" as "/a/c.h". Text only: links are not followed, nothing need exist.
std::string normal_path(std::string_view path);

// A file of a line table as one path. Distributions map the build's directory to a relative one
// ("./malloc"), which some of a table's files then already begin with.
std::string source_path(const char* directory, const char* file);

}  // namespace memlens::reader

// Which compilation unit an address belongs to.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <vector>

namespace memlens::reader {

struct Unit {
  Dwarf_Die die;       // has the line table
  Dwarf_Die code_die;  // has the functions: another one with -gsplit-dwarf
};

// Built from the units' own ranges rather than .debug_aranges, which clang does not write. Units
// live as long as the Dwarf.
class UnitIndex {
 public:
  explicit UnitIndex(Dwarf* dwarf);

  bool empty() const { return units_.empty(); }
  const Unit& unit(size_t number) const { return units_[number]; }

  static constexpr size_t kNone = SIZE_MAX;
  size_t find(uint64_t address) const;

 private:
  struct Range {
    uint64_t low;
    uint64_t high;
    size_t unit;
  };
  std::vector<Unit> units_;
  std::vector<Range> ranges_;  // by low
};

}  // namespace memlens::reader

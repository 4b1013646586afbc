// Which compilation unit an address belongs to.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace memlens::symbolizer {

struct Unit {
  Dwarf_Die die;       // has the line table
  Dwarf_Die code_die;  // has the functions: another one with -gsplit-dwarf
};

// .debug_aranges finds a unit without a look at the others: libc has 2,000, which take 5 ms. What
// it says is checked, and an address that is not in it (clang does not write it) is looked for in
// all units' own ranges. Units live as long as the Dwarf.
class UnitIndex {
 public:
  explicit UnitIndex(Dwarf* dwarf);

  // No unit has code.
  bool empty();
  const Unit& unit(size_t number) const { return units_[number]; }

  static constexpr size_t kNone = SIZE_MAX;
  size_t find(uint64_t address);

 private:
  struct Range {
    uint64_t low;
    uint64_t high;
    size_t unit;
  };

  size_t find_in_aranges(uint64_t address);
  void read_all_units();
  size_t number_of(const Dwarf_Die& die, const Dwarf_Die& code_die);

  Dwarf* dwarf_;
  Dwarf_Aranges* aranges_ = nullptr;
  size_t arange_count_ = 0;
  std::vector<Unit> units_;
  std::unordered_map<const void*, size_t> numbers_;  // by die.addr
  bool has_all_ = false;
  std::vector<Range> ranges_;  // by low
};

}  // namespace memlens::symbolizer

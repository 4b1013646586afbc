#include "reader/symbolizer/unit_index.h"

#include <dwarf.h>

#include <algorithm>

namespace memlens::reader {

UnitIndex::UnitIndex(Dwarf* dwarf) {
  Dwarf_CU* cursor = nullptr;
  Dwarf_Die die;
  Dwarf_Die split;
  uint8_t type = 0;
  // Ends (1) or fails (-1) past the last good unit; what came before is good either way.
  while (dwarf_get_units(dwarf, cursor, &cursor, nullptr, &type, &die, &split) == 0) {
    if (type != DW_UT_compile && type != DW_UT_skeleton && type != DW_UT_partial) continue;
    Unit unit;
    unit.die = die;
    unit.code_die = type == DW_UT_skeleton && dwarf_tag(&split) != 0 ? split : die;
    Dwarf_Addr base = 0;
    Dwarf_Addr low = 0;
    Dwarf_Addr high = 0;
    ptrdiff_t offset = 0;
    bool has_code = false;
    while ((offset = dwarf_ranges(&unit.die, offset, &base, &low, &high)) > 0) {
      if (low >= high) continue;
      ranges_.push_back({low, high, units_.size()});
      has_code = true;
    }
    if (has_code) units_.push_back(unit);
  }
  std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) {
    return a.low != b.low ? a.low < b.low : a.high > b.high;
  });
}

size_t UnitIndex::find(uint64_t address) const {
  // Ranges of sound files do not overlap; a few steps back are enough for those that nest.
  constexpr int kStepsBack = 8;
  auto next =
      std::upper_bound(ranges_.begin(), ranges_.end(), address,
                       [](uint64_t value, const Range& range) { return value < range.low; });
  for (int step = 0; step < kStepsBack && next != ranges_.begin(); ++step) {
    --next;
    if (address < next->high) return next->unit;
  }
  return kNone;
}

}  // namespace memlens::reader

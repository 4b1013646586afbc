#include "interposer/symbolizer/unit_index.h"

#include <dwarf.h>

#include <algorithm>

namespace memlens::symbolizer {
namespace {

bool may_have_code(uint8_t type) {
  return type == DW_UT_compile || type == DW_UT_skeleton || type == DW_UT_partial;
}

}  // namespace

UnitIndex::UnitIndex(Dwarf* dwarf) : dwarf_(dwarf) {
  if (dwarf_getaranges(dwarf, &aranges_, &arange_count_) != 0) arange_count_ = 0;
}

bool UnitIndex::empty() {
  if (arange_count_ != 0) return false;
  read_all_units();
  return units_.empty();
}

size_t UnitIndex::find(uint64_t address) {
  if (const size_t unit = find_in_aranges(address); unit != kNone) return unit;
  read_all_units();
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

size_t UnitIndex::find_in_aranges(uint64_t address) {
  Dwarf_Arange* arange = arange_count_ == 0 ? nullptr : dwarf_getarange_addr(aranges_, address);
  Dwarf_Off offset = 0;
  Dwarf_Die die;
  if (arange == nullptr || dwarf_getarangeinfo(arange, nullptr, nullptr, &offset) != 0 ||
      dwarf_offdie(dwarf_, offset, &die) == nullptr || dwarf_haspc(&die, address) <= 0) {
    return kNone;
  }
  uint8_t type = 0;
  Dwarf_Die unit;
  Dwarf_Die split;
  if (dwarf_cu_info(die.cu, nullptr, &type, &unit, &split, nullptr, nullptr, nullptr) != 0 ||
      unit.addr != die.addr || !may_have_code(type)) {
    return kNone;
  }
  return number_of(unit, type == DW_UT_skeleton && dwarf_tag(&split) != 0 ? split : unit);
}

void UnitIndex::read_all_units() {
  if (has_all_) return;
  has_all_ = true;
  Dwarf_CU* cursor = nullptr;
  Dwarf_Die die;
  Dwarf_Die split;
  uint8_t type = 0;
  // Ends (1) or fails (-1) past the last good unit; what came before is good either way.
  while (dwarf_get_units(dwarf_, cursor, &cursor, nullptr, &type, &die, &split) == 0) {
    if (!may_have_code(type)) continue;
    size_t unit = kNone;
    Dwarf_Addr base = 0;
    Dwarf_Addr low = 0;
    Dwarf_Addr high = 0;
    ptrdiff_t offset = 0;
    while ((offset = dwarf_ranges(&die, offset, &base, &low, &high)) > 0) {
      if (low >= high) continue;
      if (unit == kNone) {
        unit = number_of(die, type == DW_UT_skeleton && dwarf_tag(&split) != 0 ? split : die);
      }
      ranges_.push_back({low, high, unit});
    }
  }
  std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) {
    return a.low != b.low ? a.low < b.low : a.high > b.high;
  });
}

size_t UnitIndex::number_of(const Dwarf_Die& die, const Dwarf_Die& code_die) {
  const auto [entry, is_new] = numbers_.try_emplace(die.addr, units_.size());
  if (is_new) units_.push_back({die, code_die});
  return entry->second;
}

}  // namespace memlens::symbolizer

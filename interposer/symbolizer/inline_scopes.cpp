#include "interposer/symbolizer/inline_scopes.h"

#include <dwarf.h>

#include <algorithm>

namespace memlens::symbolizer {
namespace {

// No compiler nests deeper; damaged files do.
constexpr int kMaxDepth = 256;

// Calls `visit(first, last)` with the index range of the addresses each of the entry's ranges
// holds.
template <typename Visit>
void for_each_hit(Dwarf_Die& die, std::span<const uint64_t> addresses, Visit visit) {
  Dwarf_Addr base = 0;
  Dwarf_Addr low = 0;
  Dwarf_Addr high = 0;
  ptrdiff_t offset = 0;
  while ((offset = dwarf_ranges(&die, offset, &base, &low, &high)) > 0) {
    const auto first = std::lower_bound(addresses.begin(), addresses.end(), low);
    const auto last = std::lower_bound(first, addresses.end(), high);
    if (first < last) {
      visit(static_cast<size_t>(first - addresses.begin()),
            static_cast<size_t>(last - addresses.begin()), high - low);
    }
  }
}

}  // namespace

InlineScopes::InlineScopes(const DebugSections& sections, Dwarf_Die unit,
                           std::span<const uint64_t> addresses,
                           std::chrono::steady_clock::time_point deadline)
    : tree_(sections, unit),
      addresses_(addresses),
      deadline_(deadline),
      innermost_(addresses.size(), kNone) {
  walk_children(unit, kNone, 0);
  if (stopped_ || every_address_claimed()) return;
  // A function nested in another one (OpenMP's outlined bodies, GNU C's nested functions) need not
  // lie within the outer one's addresses.
  everywhere_ = true;
  scopes_.clear();
  std::fill(innermost_.begin(), innermost_.end(), kNone);
  walk_children(unit, kNone, 0);
}

void InlineScopes::append_chain(size_t index, std::vector<Dwarf_Die>& chain) const {
  for (int32_t at = innermost_[index]; at != kNone; at = scopes_[at].parent) {
    chain.push_back(scopes_[at].die);
  }
}

void InlineScopes::walk_children(Dwarf_Die& parent, int32_t scope, int depth) {
  if (depth > kMaxDepth) return;
  if (tree_.readable()) {
    tree_.for_each_child(parent, everywhere_, [&](Dwarf_Die& die) {
      if (out_of_time()) return false;
      visit(die, scope, depth);
      return true;
    });
    return;
  }
  Dwarf_Die die;
  if (dwarf_child(&parent, &die) != 0) return;
  Dwarf_Off last = 0;
  do {
    // Siblings of a damaged tree may lead backwards.
    const Dwarf_Off offset = dwarf_dieoffset(&die);
    if (offset <= last || out_of_time()) return;
    last = offset;
    visit(die, scope, depth);
  } while (dwarf_siblingof(&die, &die) == 0);
}

void InlineScopes::visit(Dwarf_Die& die, int32_t scope, int depth) {
  switch (dwarf_tag(&die)) {
    case DW_TAG_subprogram: {
      const int32_t claimed = claim(die, kNone);
      if (claimed != kNone || everywhere_) walk_children(die, claimed, depth + 1);
      break;
    }
    case DW_TAG_inlined_subroutine: {
      if (scope == kNone) break;
      const int32_t claimed = claim(die, scope);
      if (claimed != kNone) walk_children(die, claimed, depth + 1);
      break;
    }
    case DW_TAG_lexical_block:
    case DW_TAG_try_block:
    case DW_TAG_catch_block:
    case DW_TAG_with_stmt:
      if (everywhere_ || covers_any(die)) walk_children(die, scope, depth + 1);
      break;
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_common_block:
      walk_children(die, scope, depth + 1);
      break;
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
      if (everywhere_) walk_children(die, kNone, depth + 1);
      break;
    default:
      break;
  }
}

// Makes the entry the innermost scope of the addresses it covers; kNone when it covers none.
int32_t InlineScopes::claim(Dwarf_Die& die, int32_t parent) {
  int32_t scope = kNone;
  for_each_hit(die, addresses_, [&](size_t first, size_t last, uint64_t size_bytes) {
    for (size_t i = first; i < last; ++i) {
      const int32_t current = innermost_[i];
      if (parent == kNone) {
        // Two functions claim it (folded ones, damage): the smaller fits better.
        if (current != kNone && scopes_[current].size_bytes <= size_bytes) continue;
      } else if (current != parent) {
        continue;  // in another function, or already in an inlined one
      }
      if (scope == kNone) {
        scope = static_cast<int32_t>(scopes_.size());
        scopes_.push_back({die, parent, size_bytes});
      }
      innermost_[i] = scope;
    }
  });
  return scope;
}

bool InlineScopes::covers_any(Dwarf_Die& die) const {
  // A block without addresses of its own covers what its parent does.
  if (!dwarf_hasattr(&die, DW_AT_low_pc) && !dwarf_hasattr(&die, DW_AT_ranges)) return true;
  bool covers = false;
  for_each_hit(die, addresses_, [&](size_t, size_t, uint64_t) { covers = true; });
  return covers;
}

bool InlineScopes::out_of_time() {
  constexpr uint64_t kVisitsPerLook = 4096;
  if (++visited_ % kVisitsPerLook == 0 && std::chrono::steady_clock::now() > deadline_) {
    stopped_ = true;
  }
  return stopped_;
}

bool InlineScopes::every_address_claimed() const {
  return std::find(innermost_.begin(), innermost_.end(), kNone) == innermost_.end();
}

}  // namespace memlens::symbolizer

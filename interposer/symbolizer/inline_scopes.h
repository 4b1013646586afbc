// The functions an address is in: the one compiled there and those inlined into it.
#pragma once

#include <elfutils/libdw.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "interposer/symbolizer/unit_tree.h"

namespace memlens::symbolizer {

// Found for all addresses of a unit in one walk of its tree; libdw's dwarf_getscopes walks it once
// an address.
class InlineScopes {
 public:
  // `addresses` ascend, in the DWARF's own terms. Walking stops at the deadline.
  InlineScopes(const DebugSections& sections, Dwarf_Die unit, std::span<const uint64_t> addresses,
               std::chrono::steady_clock::time_point deadline);

  // Appends the entries that cover address `index`, innermost first: inlined subroutines, then the
  // subprogram. Appends nothing where the unit has no function (assembly).
  void append_chain(size_t index, std::vector<Dwarf_Die>& chain) const;

 private:
  static constexpr int32_t kNone = -1;

  struct Scope {
    Dwarf_Die die;
    int32_t parent;       // in scopes_; kNone for a subprogram
    uint64_t size_bytes;  // of the subprogram's range
  };

  void walk_children(Dwarf_Die& parent, int32_t scope, int depth);
  void visit(Dwarf_Die& die, int32_t scope, int depth);
  int32_t claim(Dwarf_Die& die, int32_t parent);
  bool covers_any(Dwarf_Die& die) const;
  bool out_of_time();
  bool every_address_claimed() const;

  UnitTree tree_;
  std::span<const uint64_t> addresses_;
  std::chrono::steady_clock::time_point deadline_;
  std::vector<Scope> scopes_;
  std::vector<int32_t> innermost_;  // per address
  uint64_t visited_ = 0;
  bool stopped_ = false;
  bool everywhere_ = false;  // second walk: also into functions that cover no address
};

}  // namespace memlens::symbolizer

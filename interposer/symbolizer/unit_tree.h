// Walks a unit's tree of debug information entries past what is of no interest.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "interposer/symbolizer/byte_cursor.h"
#include "interposer/symbolizer/debug_sections.h"

namespace memlens::symbolizer {

// Nine of ten entries are types, variables and declarations. libdw looks at every attribute of
// each, twice; here the unit's abbreviations say once how long they are. Forms unknown here, and
// units in other files, are left to libdw: such a tree is not readable.
class UnitTree {
 public:
  UnitTree(const DebugSections& sections, Dwarf_Die unit);

  bool readable() const { return readable_; }

  // Calls `visit(Dwarf_Die&)`, which returns false to stop, with the entries directly below
  // `parent`, in order, that may hold code: all with addresses, and namespaces and the like. With
  // `everywhere`, functions and types without addresses too.
  template <typename Visit>
  void for_each_child(const Dwarf_Die& parent, bool everywhere, Visit visit) const {
    ByteCursor at = cursor_at(parent.addr);
    const Abbreviation* abbreviation = pass_entry(at);
    if (abbreviation == nullptr || !abbreviation->has_children) return;
    while (true) {
      Dwarf_Die die{};
      die.addr = const_cast<char*>(at.position());  // as libdw has it
      die.cu = parent.cu;
      uint64_t sibling = 0;
      abbreviation = pass_entry(at, &sibling);
      if (abbreviation == nullptr) return;
      if (is_wanted(*abbreviation, everywhere) && !visit(die)) return;
      if (abbreviation->has_children && !pass_children(at, sibling)) return;
    }
  }

 private:
  struct Form {
    uint16_t code = 0;
    int16_t size = -1;  // in bytes; -1: differs
  };
  struct Abbreviation {
    uint16_t tag = 0;
    bool has_children = false;
    bool has_code = false;    // DW_AT_low_pc or DW_AT_ranges
    uint32_t first_form = 0;  // in forms_
    uint32_t form_count = 0;
    int32_t size = -1;            // of all attributes; -1: differs
    int32_t sibling_before = -1;  // bytes before a DW_AT_sibling of four bytes; -1: there is none
  };

  bool read_header(const DebugSections& sections, uint64_t unit_offset);
  bool read_abbreviations(ByteCursor table);
  bool read_attributes(ByteCursor& table, Abbreviation& abbreviation);
  int16_t fixed_size(uint16_t form) const;
  static bool pass_form(ByteCursor& at, Form form);

  ByteCursor cursor_at(const void* position) const;
  // Null at the end of a list, and where the tree is damaged. `sibling`: where the next one is, in
  // the unit; 0: not said.
  const Abbreviation* pass_entry(ByteCursor& at, uint64_t* sibling = nullptr) const;
  bool pass_children(ByteCursor& at, uint64_t sibling) const;
  static bool is_wanted(const Abbreviation& abbreviation, bool everywhere);

  bool readable_ = false;
  std::string_view unit_;  // header and entries
  bool is_64_bit_ = false;
  uint16_t version_ = 0;
  uint8_t address_size_ = 0;
  std::vector<Abbreviation> abbreviations_;  // code 1 first
  std::vector<Form> forms_;
};

}  // namespace memlens::symbolizer

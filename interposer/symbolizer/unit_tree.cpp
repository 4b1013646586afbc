#include "interposer/symbolizer/unit_tree.h"

#include <dwarf.h>

namespace memlens::symbolizer {
namespace {

constexpr uint32_t k64BitMark = 0xffffffff;

}  // namespace

UnitTree::UnitTree(const DebugSections& sections, Dwarf_Die unit) {
  const Dwarf_Off entry = dwarf_dieoffset(&unit);
  const Dwarf_Off in_unit = dwarf_cuoffset(&unit);
  // In another file, or in another section.
  if (entry >= sections.info.size() || in_unit > entry ||
      sections.info.data() + entry != unit.addr) {
    return;
  }
  readable_ = read_header(sections, entry - in_unit);
}

bool UnitTree::read_header(const DebugSections& sections, uint64_t unit_offset) {
  ByteCursor header(sections.info.substr(unit_offset));
  uint64_t length = header.read<uint32_t>();
  is_64_bit_ = length == k64BitMark;
  if (is_64_bit_) length = header.read<uint64_t>();
  const size_t length_bytes = is_64_bit_ ? 12 : 4;
  if (header.failed() || length > header.left()) return false;
  unit_ = sections.info.substr(unit_offset, length_bytes + length);
  version_ = header.read<uint16_t>();
  if (version_ < 2 || version_ > 5) return false;
  uint64_t abbreviations = 0;
  if (version_ >= 5) {
    header.read<uint8_t>();  // type of unit
    address_size_ = header.read<uint8_t>();
    abbreviations = header.read_offset(is_64_bit_);
  } else {
    abbreviations = header.read_offset(is_64_bit_);
    address_size_ = header.read<uint8_t>();
  }
  return !header.failed() && abbreviations < sections.abbreviations.size() &&
         read_abbreviations(ByteCursor(sections.abbreviations.substr(abbreviations)));
}

bool UnitTree::read_abbreviations(ByteCursor table) {
  while (true) {
    const uint64_t code = table.read_uleb();
    if (table.failed()) return false;
    if (code == 0) return true;
    // Compilers number them so.
    if (code != abbreviations_.size() + 1) return false;
    Abbreviation abbreviation;
    abbreviation.tag = static_cast<uint16_t>(table.read_uleb());
    abbreviation.has_children = table.read<uint8_t>() != 0;
    abbreviation.first_form = static_cast<uint32_t>(forms_.size());
    if (!read_attributes(table, abbreviation)) return false;
    abbreviations_.push_back(abbreviation);
  }
}

bool UnitTree::read_attributes(ByteCursor& table, Abbreviation& abbreviation) {
  int32_t size = 0;
  while (true) {
    const uint64_t attribute = table.read_uleb();
    const uint64_t form = table.read_uleb();
    if (form == DW_FORM_implicit_const) table.read_sleb();
    if (table.failed() || form > UINT16_MAX) return false;
    if (attribute == 0 && form == 0) break;
    if (attribute == DW_AT_low_pc || attribute == DW_AT_ranges) abbreviation.has_code = true;
    if (attribute == DW_AT_sibling && form == DW_FORM_ref4) abbreviation.sibling_before = size;
    const auto code = static_cast<uint16_t>(form);
    const int16_t form_size = fixed_size(code);
    ByteCursor nothing;
    if (form_size < 0 && !pass_form(nothing, {code, form_size})) return false;  // is unknown
    if (size >= 0) size = form_size < 0 ? -1 : size + form_size;
    forms_.push_back({code, form_size});
    ++abbreviation.form_count;
  }
  abbreviation.size = size;
  return true;
}

int16_t UnitTree::fixed_size(uint16_t form) const {
  const int16_t offset_size = is_64_bit_ ? 8 : 4;
  switch (form) {
    case DW_FORM_flag_present:
    case DW_FORM_implicit_const:
      return 0;
    case DW_FORM_data1:
    case DW_FORM_flag:
    case DW_FORM_ref1:
    case DW_FORM_strx1:
    case DW_FORM_addrx1:
      return 1;
    case DW_FORM_data2:
    case DW_FORM_ref2:
    case DW_FORM_strx2:
    case DW_FORM_addrx2:
      return 2;
    case DW_FORM_strx3:
    case DW_FORM_addrx3:
      return 3;
    case DW_FORM_data4:
    case DW_FORM_ref4:
    case DW_FORM_ref_sup4:
    case DW_FORM_strx4:
    case DW_FORM_addrx4:
      return 4;
    case DW_FORM_data8:
    case DW_FORM_ref8:
    case DW_FORM_ref_sup8:
    case DW_FORM_ref_sig8:
      return 8;
    case DW_FORM_data16:
      return 16;
    case DW_FORM_addr:
      return address_size_;
    case DW_FORM_strp:
    case DW_FORM_line_strp:
    case DW_FORM_strp_sup:
    case DW_FORM_sec_offset:
    case DW_FORM_GNU_strp_alt:
    case DW_FORM_GNU_ref_alt:
      return offset_size;
    case DW_FORM_ref_addr:
      return version_ == 2 ? address_size_ : offset_size;
    default:
      return -1;
  }
}

// False: the form is not known here.
bool UnitTree::pass_form(ByteCursor& at, Form form) {
  if (form.size >= 0) {
    at.read_bytes(static_cast<uint64_t>(form.size));
    return true;
  }
  switch (form.code) {
    case DW_FORM_string:
      at.read_text();
      return true;
    case DW_FORM_sdata:
    case DW_FORM_udata:
    case DW_FORM_ref_udata:
    case DW_FORM_strx:
    case DW_FORM_addrx:
    case DW_FORM_loclistx:
    case DW_FORM_rnglistx:
    case DW_FORM_GNU_addr_index:
    case DW_FORM_GNU_str_index:
      at.read_uleb();
      return true;
    case DW_FORM_block:
    case DW_FORM_exprloc:
      at.read_bytes(at.read_uleb());
      return true;
    case DW_FORM_block1:
      at.read_bytes(at.read<uint8_t>());
      return true;
    case DW_FORM_block2:
      at.read_bytes(at.read<uint16_t>());
      return true;
    case DW_FORM_block4:
      at.read_bytes(at.read<uint32_t>());
      return true;
    default:
      return false;
  }
}

ByteCursor UnitTree::cursor_at(const void* position) const {
  return ByteCursor(
      unit_.substr(static_cast<size_t>(static_cast<const char*>(position) - unit_.data())));
}

const UnitTree::Abbreviation* UnitTree::pass_entry(ByteCursor& at, uint64_t* sibling) const {
  const uint64_t code = at.read_uleb();
  if (code == 0 || code > abbreviations_.size()) return nullptr;
  const Abbreviation& abbreviation = abbreviations_[code - 1];
  if (sibling != nullptr && abbreviation.sibling_before >= 0) {
    ByteCursor there = at;
    there.read_bytes(static_cast<uint64_t>(abbreviation.sibling_before));
    *sibling = there.read<uint32_t>();
  }
  if (abbreviation.size >= 0) {
    at.read_bytes(static_cast<uint64_t>(abbreviation.size));
  } else {
    for (uint32_t i = 0; i < abbreviation.form_count; ++i) {
      if (!pass_form(at, forms_[abbreviation.first_form + i])) return nullptr;
    }
  }
  return at.failed() ? nullptr : &abbreviation;
}

bool UnitTree::pass_children(ByteCursor& at, uint64_t sibling) const {
  const auto here = static_cast<uint64_t>(at.position() - unit_.data());
  // One that leads backwards is damage.
  if (sibling > here && sibling < unit_.size()) {
    at = ByteCursor(unit_.substr(sibling));
    return true;
  }
  for (uint64_t depth = 1; depth > 0;) {
    const char* entry = at.position();
    sibling = 0;
    const Abbreviation* abbreviation = pass_entry(at, &sibling);
    if (abbreviation == nullptr) {
      // A zero byte ends a list; anything else ends the walk.
      if (at.failed() || at.position() != entry + 1 || *entry != 0) return false;
      --depth;
      continue;
    }
    if (!abbreviation->has_children) continue;
    const auto inside = static_cast<uint64_t>(at.position() - unit_.data());
    if (sibling > inside && sibling < unit_.size()) {
      at = ByteCursor(unit_.substr(sibling));
    } else {
      ++depth;
    }
  }
  return true;
}

bool UnitTree::is_wanted(const Abbreviation& abbreviation, bool everywhere) {
  switch (abbreviation.tag) {
    case DW_TAG_subprogram:
      return everywhere || abbreviation.has_code;
    case DW_TAG_inlined_subroutine:
      return abbreviation.has_code;
    case DW_TAG_lexical_block:
    case DW_TAG_try_block:
    case DW_TAG_catch_block:
    case DW_TAG_with_stmt:
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_common_block:
      return true;
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
      return everywhere;
    default:
      return false;
  }
}

}  // namespace memlens::symbolizer

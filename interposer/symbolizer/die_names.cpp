#include "interposer/symbolizer/die_names.h"

#include <dwarf.h>

#include <algorithm>
#include <string_view>

namespace memlens::symbolizer {
namespace {

constexpr int kMaxDepth = 64;       // of scopes; damaged files nest deeper
constexpr int kMaxReferences = 16;  // from an instance to its declaration
constexpr size_t kMaxCachedUnits = 32;

bool is_scope(int tag) {
  return tag == DW_TAG_namespace || tag == DW_TAG_class_type || tag == DW_TAG_structure_type ||
         tag == DW_TAG_union_type || tag == DW_TAG_subprogram || tag == DW_TAG_module ||
         tag == DW_TAG_enumeration_type || tag == DW_TAG_interface_type;
}

// Has no name, but may hold what has: a lambda's class in a loop's body.
bool is_block(int tag) {
  return tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

// From an inlined or out-of-line instance to the entry that stands in the source's scope.
Dwarf_Die declaration_of(Dwarf_Die function) {
  for (int step = 0; step < kMaxReferences; ++step) {
    Dwarf_Attribute attribute;
    Dwarf_Die next;
    Dwarf_Attribute* reference = dwarf_attr(&function, DW_AT_abstract_origin, &attribute);
    if (reference == nullptr) reference = dwarf_attr(&function, DW_AT_specification, &attribute);
    if (reference == nullptr || dwarf_formref_die(reference, &next) == nullptr) break;
    function = next;
  }
  return function;
}

std::string scope_name(Dwarf_Die& scope) {
  const char* name = dwarf_diename(&scope);
  if (name != nullptr) return name;
  return dwarf_tag(&scope) == DW_TAG_namespace ? "(anonymous namespace)" : "{unnamed}";
}

bool has_named_scopes(Dwarf_Die& unit) {
  switch (dwarf_srclang(&unit)) {
    case DW_LANG_C:
    case DW_LANG_C89:
    case DW_LANG_C99:
    case DW_LANG_C11:
    case DW_LANG_Mips_Assembler:
      return false;
    default:
      return true;
  }
}

template <typename Scopes>
void collect_scopes(Dwarf_Die& parent_die, int32_t parent, Dwarf_Off end, int depth,
                    Scopes& scopes) {
  Dwarf_Die die;
  if (depth > kMaxDepth || dwarf_child(&parent_die, &die) != 0) return;
  while (true) {
    Dwarf_Die next;
    const bool has_next = dwarf_siblingof(&die, &next) == 0;
    const Dwarf_Off offset = dwarf_dieoffset(&die);
    const Dwarf_Off die_end = has_next ? dwarf_dieoffset(&next) : end;
    if (die_end <= offset) return;  // damaged: siblings lead backwards
    if (dwarf_haschildren(&die) > 0 && is_scope(dwarf_tag(&die))) {
      scopes.push_back({offset, die_end, parent, die});
      collect_scopes(die, static_cast<int32_t>(scopes.size()) - 1, die_end, depth + 1, scopes);
    } else if (is_block(dwarf_tag(&die))) {
      collect_scopes(die, parent, die_end, depth + 1, scopes);
    }
    if (!has_next) return;
    die = next;
  }
}

}  // namespace

const char* linkage_name(Dwarf_Die& function) {
  Dwarf_Attribute attribute;
  const char* name =
      dwarf_formstring(dwarf_attr_integrate(&function, DW_AT_linkage_name, &attribute));
  if (name == nullptr) {
    name = dwarf_formstring(dwarf_attr_integrate(&function, DW_AT_MIPS_linkage_name, &attribute));
  }
  return name == nullptr || name[0] == '\0' ? nullptr : name;
}

std::string QualifiedNames::of(Dwarf_Die& function) {
  Dwarf_Die declaration = declaration_of(function);
  const char* plain_name = dwarf_diename(&declaration);
  if (plain_name == nullptr) plain_name = dwarf_diename(&function);
  if (plain_name == nullptr) return {};
  std::string name = plain_name;
  Dwarf_Die unit;
  if (dwarf_diecu(&declaration, &unit, nullptr, nullptr) == nullptr || !has_named_scopes(unit)) {
    return name;
  }
  const UnitScopes& scopes = scopes_of_unit(unit);
  const Dwarf_Off offset = dwarf_dieoffset(&declaration);
  auto next = std::lower_bound(scopes.begin(), scopes.end(), offset,
                               [](const Scope& scope, Dwarf_Off at) { return scope.begin < at; });
  int32_t at = static_cast<int32_t>(next - scopes.begin()) - 1;
  while (at >= 0 && scopes[at].end <= offset) at = scopes[at].parent;
  for (; at >= 0; at = scopes[at].parent) {
    Dwarf_Die scope = scopes[at].die;
    std::string outer = scope_name(scope);
    // Classes without a name cannot have operators, but for lambdas' own.
    if (name == "operator()" && outer == "{unnamed}") outer = "<lambda()>";
    name = outer + "::" + name;
  }
  return name;
}

const QualifiedNames::UnitScopes& QualifiedNames::scopes_of_unit(Dwarf_Die& unit) {
  const auto known = units_.find(unit.addr);
  if (known != units_.end()) return known->second;
  if (units_.size() >= kMaxCachedUnits) units_.clear();
  UnitScopes& scopes = units_[unit.addr];
  collect_scopes(unit, -1, UINT64_MAX, 0, scopes);
  return scopes;
}

}  // namespace memlens::symbolizer

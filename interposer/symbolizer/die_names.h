// Names of functions from their debug information entries.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace memlens::symbolizer {

// The linkage name (mangled), from the entry or what it is an instance of; null: it has none.
const char* linkage_name(Dwarf_Die& function);

// Functions without a linkage name (C, and in C++ those of unnamed namespaces and local classes,
// lambdas among them) are named by the scopes their declaration stands in, which entries do not
// point to: one walk a unit finds them, when the first such function is met.
class QualifiedNames {
 public:
  // "(anonymous namespace)::Parser::next"; empty when the entry has no name at all.
  std::string of(Dwarf_Die& function);

 private:
  struct Scope {
    Dwarf_Off begin;
    Dwarf_Off end;
    int32_t parent;  // in the unit's list; -1: none
    Dwarf_Die die;
  };
  using UnitScopes = std::vector<Scope>;  // in order of `begin`, so parents come first

  const UnitScopes& scopes_of_unit(Dwarf_Die& unit);

  std::unordered_map<const void*, UnitScopes> units_;
};

}  // namespace memlens::symbolizer

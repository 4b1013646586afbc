// The dynamic symbol table of one loaded object, read by name as the loader reads it.
//
// Reads mapped, relocated memory and nothing else: no lock, no allocation, no system call. Any
// context.
#pragma once

#include <link.h>

#include <cstdint>

#include "interposer/loader/dynamic_section.h"

namespace memlens::interposer {

// A name with both hashes that tables are made with.
struct SymbolName {
  constexpr explicit SymbolName(const char* name) : text(name) {
    for (; *name != '\0'; ++name) {
      const auto character = static_cast<unsigned char>(*name);
      gnu_hash = gnu_hash * 33 + character;
      elf_hash = (elf_hash << 4) + character;
      elf_hash = (elf_hash ^ (elf_hash >> 24 & 0xf0)) & 0x0fffffff;
    }
  }

  const char* text;
  uint32_t gnu_hash = 5381;
  uint32_t elf_hash = 0;
};

class SymbolTable {
 public:
  // `dynamic`: the object's dynamic section, as mapped.
  SymbolTable(const ElfW(Dyn) * dynamic, uintptr_t load_bias);

  // The object's definition of a function or variable, nullptr without one. Of several versions it
  // is the default one: what a program that is linked today gets.
  const ElfW(Sym) * find(const SymbolName& name) const;

  // Where a definition lies; for a function that its library chooses at run time (IFUNC), the one
  // chosen. Precondition: the object is relocated.
  void* address_of(const ElfW(Sym) & symbol) const;

  // The text that the dynamic section's names are offsets into; nullptr without one.
  const char* names() const { return table_.names; }
  // DT_SONAME, or "".
  const char* soname() const { return soname_; }

 private:
  bool defines(uint32_t index, const char* name) const;
  const ElfW(Sym) * find_by_gnu_hash(const SymbolName& name) const;
  const ElfW(Sym) * find_by_elf_hash(const SymbolName& name) const;

  uintptr_t load_bias_;
  DynamicSymbols table_;
  const uint16_t* versions_ = nullptr;  // null: no symbol has one
  const char* soname_ = "";
};

}  // namespace memlens::interposer

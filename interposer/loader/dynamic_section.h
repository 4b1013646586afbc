// The dynamic section of a loaded object, read as mapped: no lock, no allocation, no system call.
#pragma once

#include <link.h>

#include <cstdint>

namespace memlens::interposer {

// Calls `visit(tag, value, address)` for each entry: of those that are addresses, where that is.
template <typename Visit>
void for_each_dynamic_entry(const ElfW(Dyn) * entry, uintptr_t load_bias, Visit&& visit) {
  for (; entry->d_tag != DT_NULL; ++entry) {
    // The loader has made addresses absolute, except in objects it cannot write to.
    const uintptr_t address = entry->d_un.d_ptr;
    visit(entry->d_tag, uint64_t{entry->d_un.d_val},
          address < load_bias ? address + load_bias : address);
  }
}

// Where an object's dynamic symbols are; nullptr: it has none such.
struct DynamicSymbols {
  const ElfW(Sym) * symbols = nullptr;
  const char* names = nullptr;
  const uint32_t* gnu_hash = nullptr;
  const uint32_t* elf_hash = nullptr;  // what an object without the above has

  // Of an entry of the dynamic section. False: it is none of these.
  bool take(int64_t tag, uintptr_t address) {
    switch (tag) {
      case DT_SYMTAB:
        symbols = reinterpret_cast<const ElfW(Sym)*>(address);
        return true;
      case DT_STRTAB:
        names = reinterpret_cast<const char*>(address);
        return true;
      case DT_GNU_HASH:
        gnu_hash = reinterpret_cast<const uint32_t*>(address);
        return true;
      case DT_HASH:
        elf_hash = reinterpret_cast<const uint32_t*>(address);
        return true;
      default:
        return false;
    }
  }
  bool are_there() const { return symbols != nullptr && names != nullptr; }
};

}  // namespace memlens::interposer

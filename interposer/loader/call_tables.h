// One object of the loader's list, as far as calls between objects go: its symbols, and the slots
// through which it calls and which hold its data's pointers to functions.
#pragma once

#include <link.h>

#include <cstddef>
#include <cstdint>

#include "interposer/loader/dynamic_section.h"
#include "interposer/loader/loader_list.h"

namespace memlens::interposer {

// Reads mapped memory only, while the object stays loaded (LoaderReading); it must be relocated for
// what slots hold to mean anything.
class CallTables {
 public:
  explicit CallTables(const LoadedObject& object);

  bool is_usable() const { return table_.are_there(); }
  uintptr_t load_bias() const { return load_bias_; }
  uintptr_t start() const { return start_; }
  uintptr_t end() const { return end_; }
  bool contains(uintptr_t address) const { return address >= start_ && address < end_; }
  // Whether a slot of its own is bound to this symbol by name: when it is one that the object
  // defines, the object calls it in a way that can be changed.
  bool has_slot_for(size_t symbol_index) const;

  const char* names() const { return table_.names; }
  size_t names_bytes() const { return names_bytes_; }
  size_t symbol_count() const;
  const ElfW(Sym) & symbol(size_t index) const { return table_.symbols[index]; }

  // What the kernel lets be done with an address of the object once it is relocated.
  int protection_of(uintptr_t address) const;
  bool is_read_only_after_relocation(uintptr_t address) const {
    return address >= relro_start_ && address < relro_end_;
  }

  // Visits the address of every slot that was bound to a function by name, and the number of its
  // symbol; with `own`, also of those that were made to point into the object itself, whose number
  // is 0.
  template <typename Visit>
  void for_each_slot(bool own, Visit&& visit) const {
    for (const Relocations& table : relocations_) {
      for (size_t i = 0; i < table.count; ++i) {
        const ElfW(Rela)& relocation = table.first[i];
        if (!is_slot(relocation, own)) continue;
        visit(load_bias_ + relocation.r_offset, size_t{ELF64_R_SYM(relocation.r_info)});
      }
    }
    if (own) for_each_packed(visit);
  }

 private:
  struct Relocations {
    const ElfW(Rela) * first = nullptr;
    size_t count = 0;
  };

  static bool is_slot(const ElfW(Rela) & relocation, bool own);

  // DT_RELR: an even word is the address of a slot, an odd one a bitmap of the 63 behind.
  template <typename Visit>
  void for_each_packed(Visit& visit) const {
    uintptr_t next = 0;
    for (size_t i = 0; i < packed_count_; ++i) {
      const uint64_t word = packed_[i];
      if ((word & 1) == 0) {
        next = load_bias_ + word;
        visit(next, size_t{0});
        next += sizeof(uint64_t);
        continue;
      }
      for (unsigned bit = 1; bit < 64; ++bit) {
        if ((word >> bit & 1) != 0) visit(next + (bit - 1) * sizeof(uint64_t), size_t{0});
      }
      next += 63 * sizeof(uint64_t);
    }
  }

  void read_dynamic_section(const ElfW(Dyn) * dynamic);

  uintptr_t load_bias_;
  uintptr_t start_;
  uintptr_t end_;
  uintptr_t relro_start_ = 0;
  uintptr_t relro_end_ = 0;
  const ElfW(Phdr) * headers_;
  size_t header_count_;
  DynamicSymbols table_;
  size_t names_bytes_ = 0;
  Relocations relocations_[2];  // of data; of the procedure linkage table
  const uint64_t* packed_ = nullptr;
  size_t packed_count_ = 0;
};

}  // namespace memlens::interposer

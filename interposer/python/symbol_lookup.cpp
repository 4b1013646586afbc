#include "interposer/python/symbol_lookup.h"

#include <elf.h>
#include <link.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace memlens::interposer::python {
namespace {

struct Search {
  const char* name;
  uint32_t gnu_hash;
  uint32_t elf_hash;
  void* found;
};

struct SymbolTable {
  const ElfW(Sym) * symbols = nullptr;
  const char* names = nullptr;
  const uint32_t* gnu_hash = nullptr;
  const uint32_t* elf_hash = nullptr;  // what a module without the above has
};

uint32_t gnu_hash_of(const char* name) {
  uint32_t hash = 5381;
  for (; *name != '\0'; ++name) hash = hash * 33 + static_cast<unsigned char>(*name);
  return hash;
}

uint32_t elf_hash_of(const char* name) {
  uint32_t hash = 0;
  for (; *name != '\0'; ++name) {
    hash = (hash << 4) + static_cast<unsigned char>(*name);
    hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
  }
  return hash;
}

SymbolTable symbol_table_of(const dl_phdr_info& module) {
  SymbolTable table;
  for (int i = 0; i < module.dlpi_phnum; ++i) {
    if (module.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const auto* entry =
        reinterpret_cast<const ElfW(Dyn)*>(module.dlpi_addr + module.dlpi_phdr[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      // The loader has made these absolute, except in modules it cannot write to.
      uintptr_t address = entry->d_un.d_ptr;
      if (address < module.dlpi_addr) address += module.dlpi_addr;
      switch (entry->d_tag) {
        case DT_SYMTAB:
          table.symbols = reinterpret_cast<const ElfW(Sym)*>(address);
          break;
        case DT_STRTAB:
          table.names = reinterpret_cast<const char*>(address);
          break;
        case DT_GNU_HASH:
          table.gnu_hash = reinterpret_cast<const uint32_t*>(address);
          break;
        case DT_HASH:
          table.elf_hash = reinterpret_cast<const uint32_t*>(address);
          break;
        default:
          break;
      }
    }
  }
  return table;
}

bool defines(const SymbolTable& table, const ElfW(Sym) & symbol, const char* name) {
  const unsigned type = symbol.st_info & 0xf;
  const unsigned binding = symbol.st_info >> 4;
  return symbol.st_shndx != SHN_UNDEF && symbol.st_value != 0 &&
         (type == STT_FUNC || type == STT_OBJECT || type == STT_NOTYPE) &&
         (binding == STB_GLOBAL || binding == STB_WEAK) &&
         std::strcmp(table.names + symbol.st_name, name) == 0;
}

// The table: bucket count, first hashed symbol, bloom words, bloom shift; the bloom filter; the
// buckets; the symbols' hashes, whose lowest bit ends a bucket's chain.
const ElfW(Sym) * find_by_gnu_hash(const SymbolTable& table, const Search& search) {
  constexpr uint32_t kBloomBits = sizeof(ElfW(Addr)) * 8;
  const uint32_t bucket_count = table.gnu_hash[0];
  const uint32_t first_symbol = table.gnu_hash[1];
  const uint32_t bloom_words = table.gnu_hash[2];
  const uint32_t bloom_shift = table.gnu_hash[3];
  if (bucket_count == 0 || bloom_words == 0) return nullptr;
  const auto* bloom = reinterpret_cast<const ElfW(Addr)*>(table.gnu_hash + 4);
  const auto* buckets = reinterpret_cast<const uint32_t*>(bloom + bloom_words);
  const uint32_t* hashes = buckets + bucket_count;

  const uint32_t hash = search.gnu_hash;
  const ElfW(Addr) word = bloom[hash / kBloomBits % bloom_words];
  const ElfW(Addr) mask =
      ElfW(Addr){1} << hash % kBloomBits | ElfW(Addr){1} << (hash >> bloom_shift) % kBloomBits;
  if ((word & mask) != mask) return nullptr;
  uint32_t index = buckets[hash % bucket_count];
  if (index < first_symbol) return nullptr;
  for (;; ++index) {
    const uint32_t candidate = hashes[index - first_symbol];
    if ((candidate | 1) == (hash | 1) && defines(table, table.symbols[index], search.name)) {
      return &table.symbols[index];
    }
    if ((candidate & 1) != 0) return nullptr;
  }
}

const ElfW(Sym) * find_by_elf_hash(const SymbolTable& table, const Search& search) {
  const uint32_t bucket_count = table.elf_hash[0];
  if (bucket_count == 0) return nullptr;
  const uint32_t* buckets = table.elf_hash + 2;
  const uint32_t* chain = buckets + bucket_count;
  for (uint32_t index = buckets[search.elf_hash % bucket_count]; index != 0; index = chain[index]) {
    if (defines(table, table.symbols[index], search.name)) return &table.symbols[index];
  }
  return nullptr;
}

int look_into(dl_phdr_info* module, size_t, void* argument) {
  auto& search = *static_cast<Search*>(argument);
  const SymbolTable table = symbol_table_of(*module);
  if (table.symbols == nullptr || table.names == nullptr) return 0;
  const ElfW(Sym)* symbol = nullptr;
  if (table.gnu_hash != nullptr) {
    symbol = find_by_gnu_hash(table, search);
  } else if (table.elf_hash != nullptr) {
    symbol = find_by_elf_hash(table, search);
  }
  if (symbol == nullptr) return 0;
  search.found = reinterpret_cast<void*>(module->dlpi_addr + symbol->st_value);
  return 1;
}

}  // namespace

void* find_symbol(const char* name) {
  Search search{name, gnu_hash_of(name), elf_hash_of(name), nullptr};
  dl_iterate_phdr(look_into, &search);
  return search.found;
}

}  // namespace memlens::interposer::python

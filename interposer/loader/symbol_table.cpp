#include "interposer/loader/symbol_table.h"

#include <elf.h>

#include <cstring>

namespace memlens::interposer {
namespace {

// In the version table: a version that only programs linked against it are given.
constexpr uint16_t kHiddenVersion = 0x8000;

}  // namespace

SymbolTable::SymbolTable(const ElfW(Dyn) * dynamic, uintptr_t load_bias) : load_bias_(load_bias) {
  uintptr_t soname_offset = 0;
  for (const auto* entry = dynamic; entry->d_tag != DT_NULL; ++entry) {
    // The loader has made these absolute, except in objects it cannot write to.
    uintptr_t address = entry->d_un.d_ptr;
    if (address < load_bias) address += load_bias;
    switch (entry->d_tag) {
      case DT_SYMTAB:
        symbols_ = reinterpret_cast<const ElfW(Sym)*>(address);
        break;
      case DT_STRTAB:
        names_ = reinterpret_cast<const char*>(address);
        break;
      case DT_GNU_HASH:
        gnu_hash_ = reinterpret_cast<const uint32_t*>(address);
        break;
      case DT_HASH:
        elf_hash_ = reinterpret_cast<const uint32_t*>(address);
        break;
      case DT_VERSYM:
        versions_ = reinterpret_cast<const uint16_t*>(address);
        break;
      case DT_SONAME:
        soname_offset = entry->d_un.d_val;
        break;
      default:
        break;
    }
  }
  if (names_ != nullptr && soname_offset != 0) soname_ = names_ + soname_offset;
}

bool SymbolTable::defines(uint32_t index, const char* name) const {
  const ElfW(Sym)& symbol = symbols_[index];
  const unsigned type = symbol.st_info & 0xf;
  const unsigned binding = symbol.st_info >> 4;
  if (symbol.st_shndx == SHN_UNDEF || symbol.st_value == 0) return false;
  if (type != STT_FUNC && type != STT_OBJECT && type != STT_NOTYPE && type != STT_GNU_IFUNC) {
    return false;
  }
  if (binding != STB_GLOBAL && binding != STB_WEAK && binding != STB_GNU_UNIQUE) return false;
  if (versions_ != nullptr && (versions_[index] & kHiddenVersion) != 0) return false;
  return std::strcmp(names_ + symbol.st_name, name) == 0;
}

// The table: bucket count, first hashed symbol, bloom words, bloom shift; the bloom filter; the
// buckets; the symbols' hashes, whose lowest bit ends a bucket's chain.
const ElfW(Sym) * SymbolTable::find_by_gnu_hash(const SymbolName& name) const {
  constexpr uint32_t kBloomBits = sizeof(ElfW(Addr)) * 8;
  const uint32_t bucket_count = gnu_hash_[0];
  const uint32_t first_symbol = gnu_hash_[1];
  const uint32_t bloom_words = gnu_hash_[2];
  const uint32_t bloom_shift = gnu_hash_[3];
  if (bucket_count == 0 || bloom_words == 0) return nullptr;
  const auto* bloom = reinterpret_cast<const ElfW(Addr)*>(gnu_hash_ + 4);
  const auto* buckets = reinterpret_cast<const uint32_t*>(bloom + bloom_words);
  const uint32_t* hashes = buckets + bucket_count;

  const uint32_t hash = name.gnu_hash;
  const ElfW(Addr) word = bloom[hash / kBloomBits % bloom_words];
  const ElfW(Addr) mask =
      ElfW(Addr){1} << hash % kBloomBits | ElfW(Addr){1} << (hash >> bloom_shift) % kBloomBits;
  if ((word & mask) != mask) return nullptr;
  uint32_t index = buckets[hash % bucket_count];
  if (index < first_symbol) return nullptr;
  for (;; ++index) {
    const uint32_t candidate = hashes[index - first_symbol];
    if ((candidate | 1) == (hash | 1) && defines(index, name.text)) return &symbols_[index];
    if ((candidate & 1) != 0) return nullptr;
  }
}

const ElfW(Sym) * SymbolTable::find_by_elf_hash(const SymbolName& name) const {
  const uint32_t bucket_count = elf_hash_[0];
  if (bucket_count == 0) return nullptr;
  const uint32_t* buckets = elf_hash_ + 2;
  const uint32_t* chain = buckets + bucket_count;
  for (uint32_t index = buckets[name.elf_hash % bucket_count]; index != 0; index = chain[index]) {
    if (defines(index, name.text)) return &symbols_[index];
  }
  return nullptr;
}

const ElfW(Sym) * SymbolTable::find(const SymbolName& name) const {
  if (symbols_ == nullptr || names_ == nullptr) return nullptr;
  if (gnu_hash_ != nullptr) return find_by_gnu_hash(name);
  return elf_hash_ != nullptr ? find_by_elf_hash(name) : nullptr;
}

void* SymbolTable::address_of(const ElfW(Sym) & symbol) const {
  const uintptr_t address = load_bias_ + symbol.st_value;
  if ((symbol.st_info & 0xf) != STT_GNU_IFUNC) return reinterpret_cast<void*>(address);
  return reinterpret_cast<void* (*)()>(address)();
}

}  // namespace memlens::interposer

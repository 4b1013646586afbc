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
  for_each_dynamic_entry(dynamic, load_bias, [&](int64_t tag, uint64_t value, uintptr_t address) {
    if (table_.take(tag, address)) return;
    if (tag == DT_VERSYM) versions_ = reinterpret_cast<const uint16_t*>(address);
    if (tag == DT_SONAME) soname_offset = value;
  });
  if (table_.names != nullptr && soname_offset != 0) soname_ = table_.names + soname_offset;
}

bool SymbolTable::defines(uint32_t index, const char* name) const {
  const ElfW(Sym)& symbol = table_.symbols[index];
  const unsigned type = symbol.st_info & 0xf;
  const unsigned binding = symbol.st_info >> 4;
  if (symbol.st_shndx == SHN_UNDEF || symbol.st_value == 0) return false;
  if (type != STT_FUNC && type != STT_OBJECT && type != STT_NOTYPE && type != STT_GNU_IFUNC) {
    return false;
  }
  if (binding != STB_GLOBAL && binding != STB_WEAK && binding != STB_GNU_UNIQUE) return false;
  if (versions_ != nullptr && (versions_[index] & kHiddenVersion) != 0) return false;
  return std::strcmp(table_.names + symbol.st_name, name) == 0;
}

// The table: bucket count, first hashed symbol, bloom words, bloom shift; the bloom filter; the
// buckets; the symbols' hashes, whose lowest bit ends a bucket's chain.
const ElfW(Sym) * SymbolTable::find_by_gnu_hash(const SymbolName& name) const {
  constexpr uint32_t kBloomBits = sizeof(ElfW(Addr)) * 8;
  const uint32_t bucket_count = table_.gnu_hash[0];
  const uint32_t first_symbol = table_.gnu_hash[1];
  const uint32_t bloom_words = table_.gnu_hash[2];
  const uint32_t bloom_shift = table_.gnu_hash[3];
  if (bucket_count == 0 || bloom_words == 0) return nullptr;
  const auto* bloom = reinterpret_cast<const ElfW(Addr)*>(table_.gnu_hash + 4);
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
    if ((candidate | 1) == (hash | 1) && defines(index, name.text)) return &table_.symbols[index];
    if ((candidate & 1) != 0) return nullptr;
  }
}

const ElfW(Sym) * SymbolTable::find_by_elf_hash(const SymbolName& name) const {
  const uint32_t bucket_count = table_.elf_hash[0];
  if (bucket_count == 0) return nullptr;
  const uint32_t* buckets = table_.elf_hash + 2;
  const uint32_t* chain = buckets + bucket_count;
  for (uint32_t index = buckets[name.elf_hash % bucket_count]; index != 0; index = chain[index]) {
    if (defines(index, name.text)) return &table_.symbols[index];
  }
  return nullptr;
}

const ElfW(Sym) * SymbolTable::find(const SymbolName& name) const {
  if (!table_.are_there()) return nullptr;
  if (table_.gnu_hash != nullptr) return find_by_gnu_hash(name);
  return table_.elf_hash != nullptr ? find_by_elf_hash(name) : nullptr;
}

void* SymbolTable::address_of(const ElfW(Sym) & symbol) const {
  const uintptr_t address = load_bias_ + symbol.st_value;
  if ((symbol.st_info & 0xf) != STT_GNU_IFUNC) return reinterpret_cast<void*>(address);
  return reinterpret_cast<void* (*)()>(address)();
}

}  // namespace memlens::interposer

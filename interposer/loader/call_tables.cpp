#include "interposer/loader/call_tables.h"

#include <elf.h>
#include <sys/mman.h>

#include "interposer/platform/elf_names.h"

namespace memlens::interposer {
namespace {

constexpr uintptr_t kPageBytes = 4096;
constexpr int64_t kPacked = 36, kPackedBytes = 35;  // DT_RELR, DT_RELRSZ: not in older headers

}  // namespace

CallTables::CallTables(const LoadedObject& object)
    : load_bias_(object.load_bias),
      start_(object.start),
      end_(object.end),
      headers_(object.segments),
      header_count_(object.segment_count) {
  for (size_t i = 0; i < header_count_; ++i) {
    if (headers_[i].p_type != PT_GNU_RELRO) continue;
    const uintptr_t start = load_bias_ + headers_[i].p_vaddr;
    // The loader protects whole pages only.
    relro_start_ = start & ~(kPageBytes - 1);
    relro_end_ = (start + headers_[i].p_memsz) & ~(kPageBytes - 1);
  }
  read_dynamic_section(object.dynamic);
}

void CallTables::read_dynamic_section(const ElfW(Dyn) * dynamic) {
  const auto read = [this](int64_t tag, uint64_t value, uintptr_t address) {
    if (table_.take(tag, address)) return;
    switch (tag) {
      case DT_STRSZ:
        names_bytes_ = value;
        break;
      case DT_RELA:
        relocations_[0].first = reinterpret_cast<const ElfW(Rela)*>(address);
        break;
      case DT_RELASZ:
        relocations_[0].count = value / sizeof(ElfW(Rela));
        break;
      case DT_JMPREL:
        relocations_[1].first = reinterpret_cast<const ElfW(Rela)*>(address);
        break;
      case DT_PLTRELSZ:
        relocations_[1].count = value / sizeof(ElfW(Rela));
        break;
      case kPacked:
        packed_ = reinterpret_cast<const uint64_t*>(address);
        break;
      case kPackedBytes:
        packed_count_ = value / sizeof(uint64_t);
        break;
      default:
        break;
    }
  };
  for_each_dynamic_entry(dynamic, load_bias_, read);
  for (Relocations& table : relocations_) {
    if (table.first == nullptr) table.count = 0;
  }
  if (packed_ == nullptr) packed_count_ = 0;
}

// Only the hash tables say it: the last symbol is the last of the fullest chain.
size_t CallTables::symbol_count() const {
  if (table_.elf_hash != nullptr) return table_.elf_hash[1];
  if (table_.gnu_hash == nullptr) return 0;
  const uint32_t bucket_count = table_.gnu_hash[0];
  const uint32_t first = table_.gnu_hash[1];
  const uint32_t bloom_words = table_.gnu_hash[2];
  const auto* buckets = table_.gnu_hash + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
  uint32_t last = 0;
  for (uint32_t i = 0; i < bucket_count; ++i) {
    if (buckets[i] > last) last = buckets[i];
  }
  if (last < first) return 0;
  const uint32_t* chain = buckets + bucket_count;
  while ((chain[last - first] & 1) == 0) ++last;
  return last + 1;
}

int CallTables::protection_of(uintptr_t address) const {
  if (is_read_only_after_relocation(address)) return PROT_READ;
  for (size_t i = 0; i < header_count_; ++i) {
    const ElfW(Phdr)& header = headers_[i];
    const uintptr_t start = (load_bias_ + header.p_vaddr) & ~(kPageBytes - 1);
    if (header.p_type != PT_LOAD || address < start ||
        address >= load_bias_ + header.p_vaddr + header.p_memsz) {
      continue;
    }
    return ((header.p_flags & PF_R) != 0 ? PROT_READ : 0) |
           ((header.p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
           ((header.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
  }
  return PROT_NONE;
}

bool CallTables::has_slot_for(size_t symbol_index) const {
  for (const Relocations& table : relocations_) {
    for (size_t i = 0; i < table.count; ++i) {
      const ElfW(Rela)& relocation = table.first[i];
      if (ELF64_R_SYM(relocation.r_info) == symbol_index && is_slot(relocation, false)) return true;
    }
  }
  return false;
}

bool CallTables::is_slot(const ElfW(Rela) & relocation, bool own) {
  const auto type = static_cast<uint32_t>(ELF64_R_TYPE(relocation.r_info));
  return type == platform::kJumpSlot || type == platform::kGlobalData ||
         type == platform::kAddress || (own && type == platform::kRelative);
}

}  // namespace memlens::interposer

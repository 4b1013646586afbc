#include "interposer/attach/remote_objects.h"

#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <cstddef>

namespace memlens::attach {
namespace {

constexpr size_t kMostObjects = 10'000;
constexpr size_t kMostEntries = 1'000;  // of a dynamic section, or of a chain of a hash table
constexpr size_t kNameBytes = 4096;

template <typename Visit>
void visit_dynamic_section(const RemoteProcess& process, uint64_t address, Visit&& visit) {
  for (size_t i = 0; i < kMostEntries; ++i) {
    const auto entry = process.value<ElfW(Dyn)>(address + i * sizeof(ElfW(Dyn)));
    if (entry.d_tag == DT_NULL) return;
    visit(entry);
  }
}

// Of the r_debug that the loader keeps for debuggers; 0: none yet.
uint64_t find_debug_address(const RemoteProcess& process) {
  const uint64_t headers = process.auxiliary_value(AT_PHDR);
  const uint64_t count = process.auxiliary_value(AT_PHNUM);
  uint64_t base = 0, dynamic = 0;
  for (uint64_t i = 0; i < count && i < kMostEntries; ++i) {
    const auto header = process.value<ElfW(Phdr)>(headers + i * sizeof(ElfW(Phdr)));
    if (header.p_type == PT_PHDR) base = headers - header.p_vaddr;
    if (header.p_type == PT_DYNAMIC) dynamic = header.p_vaddr;
  }
  uint64_t debug = 0;
  if (dynamic == 0) return debug;
  visit_dynamic_section(process, base + dynamic, [&](const ElfW(Dyn) & entry) {
    if (entry.d_tag == DT_DEBUG) debug = entry.d_un.d_ptr;
  });
  return debug;
}

std::vector<RemoteObject> walk(const RemoteProcess& process, uint64_t debug) {
  std::vector<RemoteObject> objects;
  uint64_t at = process.value<uint64_t>(debug + offsetof(r_debug, r_map));
  while (at != 0 && objects.size() < kMostObjects) {
    const auto map = process.value<link_map>(at);
    objects.push_back({at, map.l_addr, reinterpret_cast<uint64_t>(map.l_ld),
                       process.text(reinterpret_cast<uint64_t>(map.l_name), kNameBytes)});
    at = reinterpret_cast<uint64_t>(map.l_next);
  }
  return objects;
}

}  // namespace

LoadedObjects read_loaded_objects(const RemoteProcess& process, bool& loader_busy) {
  constexpr int kRounds = 2000;
  constexpr useconds_t kPauseMicroseconds = 300;
  loader_busy = false;
  LoadedObjects loaded;
  const uint64_t debug = find_debug_address(process);
  if (debug == 0) return loaded;
  loaded.loader_state_address = debug + offsetof(r_debug, r_state);
  for (int round = 0; round < kRounds; ++round) {
    loaded.objects = walk(process, debug);
    if (!loader_is_busy(process, loaded) && loaded.objects == walk(process, debug)) return loaded;
    usleep(kPauseMicroseconds);
  }
  loader_busy = true;
  loaded.objects.clear();
  return loaded;
}

bool loader_is_busy(const RemoteProcess& process, const LoadedObjects& loaded) {
  return process.value<int>(loaded.loader_state_address) != r_debug::RT_CONSISTENT;
}

uint64_t symbol_address(const RemoteProcess& process, const RemoteObject& object, const char* name,
                        uint64_t* size) {
  uint64_t symbols = 0, strings = 0, hash_table = 0;
  visit_dynamic_section(process, object.dynamic, [&](const ElfW(Dyn) & entry) {
    // glibc relocates these in place, where the section can be written.
    const uint64_t address =
        entry.d_un.d_ptr < object.base ? entry.d_un.d_ptr + object.base : entry.d_un.d_ptr;
    if (entry.d_tag == DT_SYMTAB) symbols = address;
    if (entry.d_tag == DT_STRTAB) strings = address;
    if (entry.d_tag == DT_GNU_HASH) hash_table = address;
  });
  struct Header {
    uint32_t buckets, first_symbol, bloom_words, bloom_shift;
  } header{};
  if (symbols == 0 || strings == 0 || hash_table == 0 ||
      !process.read(hash_table, &header, sizeof header) || header.buckets == 0) {
    return 0;
  }
  uint32_t hash = 5381;
  for (const char* c = name; *c != '\0'; ++c) hash = hash * 33 + static_cast<unsigned char>(*c);
  const uint64_t buckets = hash_table + sizeof header + header.bloom_words * sizeof(ElfW(Addr));
  const uint64_t chain = buckets + header.buckets * sizeof(uint32_t);
  auto index = process.value<uint32_t>(buckets + (hash % header.buckets) * sizeof(uint32_t));
  if (index < header.first_symbol) return 0;
  for (size_t i = 0; i < kMostEntries; ++i, ++index) {
    const auto link =
        process.value<uint32_t>(chain + (index - header.first_symbol) * sizeof(uint32_t));
    if ((link | 1) == (hash | 1)) {
      const auto symbol = process.value<ElfW(Sym)>(symbols + index * sizeof(ElfW(Sym)));
      if (symbol.st_shndx != SHN_UNDEF && process.text(strings + symbol.st_name, 128) == name) {
        if (size != nullptr) *size = symbol.st_size;
        return object.base + symbol.st_value;
      }
    }
    if ((link & 1) != 0) return 0;
  }
  return 0;
}

uint64_t symbol_address(const RemoteProcess& process, const LoadedObjects& loaded,
                        const char* name) {
  for (const RemoteObject& object : loaded.objects) {
    // The vdso's name has no slash; its base may be anywhere.
    if (object.name.find("linux-vdso") != std::string::npos) continue;
    if (const uint64_t address = symbol_address(process, object, name)) return address;
  }
  return 0;
}

}  // namespace memlens::attach

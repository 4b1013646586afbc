#include "interposer/python/symbol_lookup.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "interposer/system_call.h"

namespace memlens::interposer::python {
namespace {

struct Search {
  const char* name;
  uint32_t gnu_hash;
  uint32_t elf_hash;
  void* found;
  uintptr_t protected_page;  // read-only once the module is relocated; 0: it has none
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

// The first page of what the loader protects, rounded as it does; 0 when that is less than a page.
uintptr_t protected_page_of(const dl_phdr_info& module) {
  const uintptr_t page_mask = ~(static_cast<uintptr_t>(sysconf(_SC_PAGESIZE)) - 1);
  for (int i = 0; i < module.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = module.dlpi_phdr[i];
    if (segment.p_type != PT_GNU_RELRO) continue;
    const uintptr_t start = (module.dlpi_addr + segment.p_vaddr) & page_mask;
    const uintptr_t end = (module.dlpi_addr + segment.p_vaddr + segment.p_memsz) & page_mask;
    return start < end ? start : 0;
  }
  return 0;
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
  search.protected_page = protected_page_of(*module);
  return 1;
}

Search search_for(const char* name) {
  Search search{name, gnu_hash_of(name), elf_hash_of(name), nullptr, 0};
  dl_iterate_phdr(look_into, &search);
  return search;
}

// A line of /proc/self/maps begins "start-end rwxp"; takes one character at a time, so that lines
// may be cut anywhere between two reads.
class MapsReader {
 public:
  explicit MapsReader(uintptr_t page) : page_(page) {}

  // True when the answer is known.
  bool take(char character) {
    switch (part_) {
      case Part::kStart:
        if (character == '-')
          part_ = Part::kEnd;
        else
          start_ = start_ << 4 | digit(character);
        break;
      case Part::kEnd:
        if (character == ' ')
          part_ = Part::kRead;
        else
          end_ = end_ << 4 | digit(character);
        break;
      case Part::kRead:
        part_ = Part::kWrite;
        break;
      case Part::kWrite:
        if (page_ >= start_ && page_ < end_) {
          read_only_ = character == '-';
          return true;
        }
        part_ = Part::kRest;
        break;
      case Part::kRest:
        if (character == '\n') {
          part_ = Part::kStart;
          start_ = end_ = 0;
        }
        break;
    }
    return false;
  }
  bool read_only() const { return read_only_; }

 private:
  enum class Part { kStart, kEnd, kRead, kWrite, kRest };
  static uintptr_t digit(char character) {
    return static_cast<uintptr_t>(character <= '9' ? character - '0' : character - 'a' + 10);
  }

  const uintptr_t page_;
  uintptr_t start_ = 0;
  uintptr_t end_ = 0;
  Part part_ = Part::kStart;
  bool read_only_ = false;
};

bool is_read_only(uintptr_t page) {
  const int saved_errno = errno;
  const int file = system_call::open_file("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  MapsReader reader(page);
  bool known = false;
  char buffer[1024];
  while (file >= 0 && !known) {
    const long bytes = system_call::read_file(file, buffer, sizeof buffer);
    if (bytes <= 0) break;
    for (long i = 0; i < bytes && !known; ++i) known = reader.take(buffer[i]);
  }
  if (file >= 0) system_call::close_file(file);
  errno = saved_errno;
  return known && reader.read_only();
}

}  // namespace

void* find_symbol(const char* name) { return search_for(name).found; }

bool is_relocated(const char* name) {
  const Search search = search_for(name);
  return search.found != nullptr && search.protected_page != 0 &&
         is_read_only(search.protected_page);
}

}  // namespace memlens::interposer::python

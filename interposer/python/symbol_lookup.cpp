#include "interposer/python/symbol_lookup.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "interposer/loader/loader_list.h"
#include "interposer/loader/symbol_table.h"
#include "interposer/platform/system_call.h"

namespace memlens::interposer::python {
namespace {

struct Search {
  SymbolName name;
  void* found;
  uintptr_t protected_page;  // read-only once the module is relocated; 0: it has none
};

// The first page of what the loader protects, rounded as it does; 0 when that is less than a page.
uintptr_t protected_page_of(const LoadedObject& module) {
  const uintptr_t page_mask = ~(static_cast<uintptr_t>(sysconf(_SC_PAGESIZE)) - 1);
  for (size_t i = 0; i < module.segment_count; ++i) {
    const ElfW(Phdr)& segment = module.segments[i];
    if (segment.p_type != PT_GNU_RELRO) continue;
    const uintptr_t start = (module.load_bias + segment.p_vaddr) & page_mask;
    const uintptr_t end = (module.load_bias + segment.p_vaddr + segment.p_memsz) & page_mask;
    return start < end ? start : 0;
  }
  return 0;
}

bool look_into(const LoadedObject& module, void* argument) {
  auto& search = *static_cast<Search*>(argument);
  const SymbolTable table(module.dynamic, module.load_bias);
  const ElfW(Sym)* symbol = table.find(search.name);
  // One whose library chooses it at run time could not be called yet: the library may be on its
  // way, unrelocated. None of those looked for here is.
  if (symbol == nullptr || (symbol->st_info & 0xf) == STT_GNU_IFUNC) return false;
  search.found = reinterpret_cast<void*>(module.load_bias + symbol->st_value);
  search.protected_page = protected_page_of(module);
  return true;
}

Search search_for(const char* name) {
  Search search{SymbolName(name), nullptr, 0};
  for_each_loaded_object(look_into, &search);
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

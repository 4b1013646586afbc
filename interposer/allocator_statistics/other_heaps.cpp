#include "interposer/allocator_statistics/other_heaps.h"

#include <link.h>

#include <cstddef>

#include "interposer/loader/next_definition.h"
#include "interposer/loader/symbol_table.h"

namespace memlens::interposer::other_heaps {
namespace {

using format::AllocatorName;
using format::AllocatorStatistics;

struct Function {
  const char* name;
  AllocatorName allocator;
};
constexpr Function kFunctions[] = {{"mallctl", AllocatorName::kJemalloc},
                                   {"je_mallctl", AllocatorName::kJemalloc},
                                   {"_rjem_mallctl", AllocatorName::kJemalloc},
                                   {"mi_process_info", AllocatorName::kMimalloc}};

using MallctlFunction = int (*)(const char*, void*, size_t*, void*, size_t);
using ProcessInfoFunction = void (*)(size_t*, size_t*, size_t*, size_t*, size_t*, size_t*, size_t*,
                                     size_t*);

template <typename Number>
bool read(MallctlFunction mallctl, const char* name, Number& value) {
  size_t bytes = sizeof value;
  return mallctl(name, &value, &bytes, nullptr, 0) == 0 && bytes == sizeof value;
}

bool ask_jemalloc(MallctlFunction mallctl, AllocatorStatistics& statistics) {
  // Its numbers are those of when this was last written.
  uint64_t epoch = 1;
  if (mallctl("epoch", nullptr, nullptr, &epoch, sizeof epoch) != 0) return false;
  size_t allocated = 0, active = 0, resident = 0, metadata = 0, retained = 0;
  unsigned arenas = 0;
  if (!read(mallctl, "stats.allocated", allocated) || !read(mallctl, "stats.active", active) ||
      !read(mallctl, "stats.resident", resident)) {
    return false;
  }
  read(mallctl, "stats.metadata", metadata);
  read(mallctl, "stats.retained", retained);
  read(mallctl, "arenas.narenas", arenas);
  statistics.held = resident;
  statistics.free = resident > allocated ? resident - allocated : 0;
  statistics.releasable = resident > active + metadata ? resident - active - metadata : 0;
  statistics.arenas = arenas;
  statistics.retained = retained;
  return true;
}

bool ask_mimalloc(ProcessInfoFunction process_info, AllocatorStatistics& statistics) {
  size_t elapsed = 0, user = 0, system = 0, resident = 0, highest = 0, committed = 0,
         most_committed = 0, faults = 0;
  process_info(&elapsed, &user, &system, &resident, &highest, &committed, &most_committed, &faults);
  statistics.held = committed;
  return committed != 0;
}

// A variable may have the name as well (a pointer to the function, for who opens the library).
void* find_function(const link_map* object, const char* name) {
  const SymbolTable table(object->l_ld, object->l_addr);
  const ElfW(Sym)* symbol = table.find(SymbolName(name));
  return symbol != nullptr && (symbol->st_info & 0xf) == STT_FUNC ? table.address_of(*symbol)
                                                                  : nullptr;
}

}  // namespace

unsigned find(Heap (&heaps)[kMost]) {
  unsigned count = 0;
  const auto add = [&](const Function& function, const link_map* object) {
    if (object == nullptr || object->l_ld == nullptr || count == kMost) return;
    for (unsigned i = 0; i < count; ++i) {
      if (heaps[i].name == function.allocator) return;
    }
    void* address = find_function(object, function.name);
    if (address != nullptr) heaps[count++] = {function.allocator, address};
  };
  // The program's malloc first, wherever others of its name stand.
  for (const Function& function : kFunctions) add(function, allocator_object());
  for (const Function& function : kFunctions) {
    add(function, find_first_definition(function.name).object);
  }
  return count;
}

bool ask(const Heap& heap, AllocatorStatistics& statistics) {
  return heap.name == AllocatorName::kJemalloc
             ? ask_jemalloc(reinterpret_cast<MallctlFunction>(heap.function), statistics)
             : ask_mimalloc(reinterpret_cast<ProcessInfoFunction>(heap.function), statistics);
}

}  // namespace memlens::interposer::other_heaps

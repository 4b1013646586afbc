#include "interposer/hooks/allocator_module.h"

#include <link.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "interposer/definitions.h"
#include "interposer/diagnostics.h"
#include "interposer/hooks/next_definition.h"
#include "interposer/process.h"
#include "interposer/program_path.h"

namespace memlens::interposer {
namespace {

struct AddressRange {
  uintptr_t start = 0;
  uintptr_t end = 0;
};

struct Search {
  const link_map* object;
  AddressRange found;
};

int find_range(dl_phdr_info* info, size_t, void* context) {
  auto* search = static_cast<Search*>(context);
  if (info->dlpi_addr != search->object->l_addr) return 0;
  AddressRange range{UINTPTR_MAX, 0};
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD) continue;
    const uintptr_t start = info->dlpi_addr + segment.p_vaddr;
    if (start < range.start) range.start = start;
    if (start + segment.p_memsz > range.end) range.end = start + segment.p_memsz;
  }
  const auto dynamic = reinterpret_cast<uintptr_t>(search->object->l_ld);
  if (dynamic < range.start || dynamic >= range.end) return 0;
  search->found = range;
  return 1;
}

// Written once, by whoever asks first; a second thread that asks meanwhile computes the same.
std::atomic<bool> range_known{false};
AddressRange allocator_range;

// Asks the loader only where there is such an allocator: its list's lock is taken.
__attribute__((noinline, cold)) void find_allocator() {
  Search search{allocator_object(), {}};
  if (search.object != nullptr) dl_iterate_phdr(find_range, &search);
  allocator_range = search.found;
  range_known.store(true, std::memory_order_release);
}

}  // namespace

bool called_by_allocator(const void* code) {
  if (!range_known.load(std::memory_order_acquire)) find_allocator();
  const auto address = reinterpret_cast<uintptr_t>(code);
  return address >= allocator_range.start && address < allocator_range.end;
}

void report_unseen_allocator() {
  // Looked up now: a forked child must not wait for the loader's lock.
  called_by_allocator(nullptr);
  const Definition used = find_first_definition("malloc");
  if (used.object == nullptr || used.object == own_object()) return;
  char path[4096];
  const char* name = used.object->l_name;
  if (name == nullptr || name[0] == '\0') {  // the program itself
    path[program_path(path, sizeof path)] = '\0';
    name = path;
  }
  Line text;
  text.text(name).text(
      " brings its own malloc, which is used before any other: what is allocated through it is "
      "not seen, only the memory it maps");
  define_diagnostic(format::DiagnosticCode::kStaticAllocator, text.c_str());
  // The first process's stderr is where whoever started the run looks; a child's may be a pipe that
  // somebody reads and compares.
  if (process.index == segment::kFirstProcess) report_line(text);
}

}  // namespace memlens::interposer

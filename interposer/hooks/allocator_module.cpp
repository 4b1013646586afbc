#include "interposer/hooks/allocator_module.h"

#include <dlfcn.h>
#include <link.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "interposer/definitions.h"
#include "interposer/diagnostics.h"
#include "interposer/process.h"

namespace memlens::interposer {
namespace {

struct AddressRange {
  uintptr_t start = 0;
  uintptr_t end = 0;
};

struct Search {
  uintptr_t wanted;
  AddressRange found;
};

int find_range(dl_phdr_info* info, size_t, void* context) {
  auto* search = static_cast<Search*>(context);
  AddressRange range{UINTPTR_MAX, 0};
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD) continue;
    const uintptr_t start = info->dlpi_addr + segment.p_vaddr;
    if (start < range.start) range.start = start;
    if (start + segment.p_memsz > range.end) range.end = start + segment.p_memsz;
  }
  if (search->wanted < range.start || search->wanted >= range.end) return 0;
  search->found = range;
  return 1;
}

AddressRange range_around(const void* address) {
  Search search{reinterpret_cast<uintptr_t>(address), {}};
  dl_iterate_phdr(find_range, &search);
  return search.found;
}

// Written once, by whoever asks first; a second thread that asks meanwhile computes the same.
std::atomic<bool> range_known{false};
AddressRange allocator_range;

__attribute__((noinline, cold)) void find_allocator() {
  AddressRange range = range_around(dlsym(RTLD_NEXT, "malloc"));
  const auto libc = reinterpret_cast<uintptr_t>(dlsym(RTLD_NEXT, "gnu_get_libc_version"));
  if (libc >= range.start && libc < range.end) range = {};
  allocator_range = range;
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
  void* used = dlsym(RTLD_DEFAULT, "malloc");
  Dl_info ours, theirs;
  ElfW(Sym)* symbol = nullptr;
  if (used == nullptr ||
      dladdr1(used, &theirs, reinterpret_cast<void**>(&symbol), RTLD_DL_SYMENT) == 0 ||
      dladdr(reinterpret_cast<void*>(&report_unseen_allocator), &ours) == 0 ||
      ours.dli_fbase == theirs.dli_fbase) {
    return;
  }
  // A program that is not position-independent and takes malloc's address has its own entry in the
  // procedure linkage table for it, which is what dlsym gives; its symbol is undefined there.
  if (symbol == nullptr || symbol->st_shndx == SHN_UNDEF) return;
  Line text;
  text.text(theirs.dli_fname)
      .text(
          " brings its own malloc, which is used before any other: what is allocated through it is "
          "not seen, only the memory it maps");
  define_diagnostic(format::DiagnosticCode::kStaticAllocator, text.c_str());
  // The first process's stderr is where whoever started the run looks; a child's may be a pipe that
  // somebody reads and compares.
  if (process.index == segment::kFirstProcess) report_line(text);
}

}  // namespace memlens::interposer

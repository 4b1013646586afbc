#include "interposer/program/allocator_module.h"

#include <link.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "interposer/definitions/definitions.h"
#include "interposer/guest/diagnostics.h"
#include "interposer/loader/loader_list.h"
#include "interposer/loader/next_definition.h"
#include "interposer/loader/program_path.h"
#include "interposer/program/bundled_allocators.h"
#include "interposer/program/hidden_jemalloc.h"
#include "interposer/session/process.h"

namespace memlens::interposer {
namespace {

struct AddressRange {
  uintptr_t start = 0;
  uintptr_t end = 0;
};

// Written once, by whoever asks first; a second thread that asks meanwhile computes the same.
std::atomic<bool> range_known{false};
AddressRange allocator_range;

__attribute__((noinline, cold)) void find_allocator() {
  const link_map* allocator = allocator_object();
  LoadedObject object;
  if (allocator != nullptr &&
      find_loaded_object(reinterpret_cast<uintptr_t>(allocator->l_ld), object)) {
    allocator_range = {object.start, object.end};
  }
  range_known.store(true, std::memory_order_release);
}

}  // namespace

bool called_by_allocator(const void* code) {
  if (!range_known.load(std::memory_order_acquire)) find_allocator();
  const auto address = reinterpret_cast<uintptr_t>(code);
  return address >= allocator_range.start && address < allocator_range.end;
}

bool brings_own_malloc() {
  const link_map* object = find_first_definition("malloc").object;
  return object != nullptr && object->l_name[0] == '\0';
}

bool maps_for_allocator(const void* code) {
  return called_by_allocator(code) || called_by_bundled_allocator(code);
}

void report_unseen_allocator(bool to_stderr) {
  // Looked up now: a forked child must not wait for the loader's lock.
  called_by_allocator(nullptr);
  const Definition used = find_first_definition("malloc");
  if (used.object == nullptr || used.object == own_object()) return;
  // Loaded late, the hooks are led to whatever malloc is used, but for the program's own.
  if (loaded_late() && !brings_own_malloc()) return;
  if (brings_own_malloc() && program_has_hooked_jemalloc()) return;
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
  if (to_stderr && process.index == segment::kFirstProcess) report_line(text);
}

}  // namespace memlens::interposer

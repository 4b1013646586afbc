#include "interposer/hooks/next_definition.h"

#include <elf.h>
#include <sys/auxv.h>

#include <cstring>

#include "interposer/hooks/next_function.h"
#include "interposer/reentrancy.h"
#include "interposer/symbol_table.h"

// The section that holds every NextFunction (next_function.h), as the linker names its ends.
extern "C" __attribute__((visibility("hidden")))
memlens::interposer::NextDefinition __start_memlens_next_functions[],
    __stop_memlens_next_functions[];

namespace memlens::interposer {
namespace {

// The executable's DT_DEBUG leads to the same list as _r_debug. It is asked where a program has a
// copy of that variable of its own that is not yet filled.
const link_map* list_by_executable() {
  const auto* headers = reinterpret_cast<const ElfW(Phdr)*>(getauxval(AT_PHDR));
  const unsigned long count = getauxval(AT_PHNUM);
  uintptr_t bias = 0;
  const ElfW(Phdr)* dynamic = nullptr;
  for (unsigned long i = 0; headers != nullptr && i < count; ++i) {
    if (headers[i].p_type == PT_PHDR) {
      bias = reinterpret_cast<uintptr_t>(headers) - headers[i].p_vaddr;
    }
    if (headers[i].p_type == PT_DYNAMIC) dynamic = &headers[i];
  }
  if (dynamic == nullptr) return nullptr;
  const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(bias + dynamic->p_vaddr);
  for (; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag != DT_DEBUG || entry->d_un.d_ptr == 0) continue;
    return reinterpret_cast<const r_debug*>(entry->d_un.d_ptr)->r_map;
  }
  return nullptr;
}

const link_map* first_object() {
  return _r_debug.r_map != nullptr ? _r_debug.r_map : list_by_executable();
}

// The last object that the program started with. What comes behind it was opened later, perhaps for
// its opener alone: nobody else is bound to what it defines.
std::atomic<const link_map*> last_of_start{nullptr};

Definition find_from(const link_map* object, const SymbolName& name) {
  const link_map* last = last_of_start.load(std::memory_order_relaxed);
  for (; object != nullptr; object = object == last ? nullptr : object->l_next) {
    if (object->l_ld == nullptr) continue;
    const SymbolTable table(object->l_ld, object->l_addr);
    if (const ElfW(Sym)* symbol = table.find(name)) return {table.address_of(*symbol), object};
  }
  return {};
}

std::atomic<bool> resolved{false};
std::atomic<const link_map*> allocator{nullptr};

// malloc is libc's when it lies where this does.
constexpr char kOnlyInLibc[] = "gnu_get_libc_version";

}  // namespace

const link_map* own_object() {
  const link_map* object = first_object();
  while (object != nullptr && object->l_ld != _DYNAMIC /* this library's */)
    object = object->l_next;
  return object;
}

Definition find_next_definition(const char* name) {
  const link_map* own = own_object();
  return own == nullptr ? Definition{} : find_from(own->l_next, SymbolName(name));
}

Definition find_first_definition(const char* name) {
  return find_from(first_object(), SymbolName(name));
}

Definition find_definition_in(const char* soname, const char* name) {
  for (const link_map* object = first_object(); object != nullptr; object = object->l_next) {
    if (object->l_ld == nullptr) continue;
    const SymbolTable table(object->l_ld, object->l_addr);
    if (std::strcmp(table.soname(), soname) != 0) continue;
    const ElfW(Sym)* symbol = table.find(SymbolName(name));
    return symbol == nullptr ? Definition{} : Definition{table.address_of(*symbol), object};
  }
  return {};
}

const link_map* allocator_object() {
  resolve_next_functions();
  return allocator.load(std::memory_order_relaxed);
}

void resolve_next_functions() {
  // Twice, when two threads come at once: both find the same.
  if (resolved.load(std::memory_order_acquire)) return;
  const link_map* own = own_object();
  for (const link_map* object = own == nullptr ? nullptr : own->l_next; object != nullptr;
       object = object->l_next) {
    last_of_start.store(object, std::memory_order_relaxed);
    if (object->l_ld == nullptr) continue;
    const SymbolTable table(object->l_ld, object->l_addr);
    for (NextDefinition* next = __start_memlens_next_functions;
         next != __stop_memlens_next_functions; ++next) {
      if (next->address.load(std::memory_order_relaxed) != nullptr) continue;
      const ElfW(Sym)* symbol = table.find(next->name);
      if (symbol == nullptr) continue;
      next->address.store(table.address_of(*symbol), std::memory_order_relaxed);
    }
  }
  const link_map* object = find_next_definition("malloc").object;
  const bool is_libc = find_next_definition(kOnlyInLibc).object == object;
  allocator.store(is_libc ? nullptr : object, std::memory_order_relaxed);
  if (!is_libc) expect_calls_of_allocator();
  resolved.store(true, std::memory_order_release);
}

}  // namespace memlens::interposer

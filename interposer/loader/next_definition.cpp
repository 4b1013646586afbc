#include "interposer/loader/next_definition.h"

#include <elf.h>
#include <sys/auxv.h>

#include <cstring>

#include "interposer/guest/reentrancy.h"
#include "interposer/loader/base_name.h"
#include "interposer/loader/next_function.h"
#include "interposer/loader/symbol_table.h"

// The section that holds every NextFunction (next_function.h), as the linker names its ends. Weak:
// where no hook is linked (tests) there is none.
extern "C" __attribute__((visibility("hidden"), weak))
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

bool is_own(const link_map* object) { return object->l_ld == _DYNAMIC /* this library's */; }

// malloc is libc's when it lies where this does.
constexpr SymbolName kOnlyInLibc("gnu_get_libc_version");

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

// Where the search for what a hook goes on to begins: loaded late, at the program itself, behind
// which this library does not come before last_of_start.
const link_map* first_behind_hooks() {
  if (loaded_late()) return first_object();
  const link_map* own = own_object();
  return own == nullptr ? nullptr : own->l_next;
}

bool names_object(const char* needed, const link_map* object) {
  if (std::strcmp(needed, base_name(object->l_name)) == 0) return true;
  if (std::strcmp(needed, object->l_name) == 0) return true;
  return object->l_ld != nullptr &&
         std::strcmp(needed, SymbolTable(object->l_ld, object->l_addr).soname()) == 0;
}

// The last object of the list in whose table of needed libraries, or in that of an object before
// it, it stands: what was there from the start is the beginning of the list, which holds all that
// its members need.
const link_map* find_last_of_start() {
  const link_map* last = first_object();
  size_t last_index = 0, index = 0;
  for (const link_map* object = last; object != nullptr && index <= last_index;
       object = object->l_next, ++index) {
    if (object->l_ld == nullptr) continue;
    const char* names = SymbolTable(object->l_ld, object->l_addr).names();
    for (const ElfW(Dyn)* entry = object->l_ld; entry->d_tag != DT_NULL && names != nullptr;
         ++entry) {
      if (entry->d_tag != DT_NEEDED) continue;
      size_t at = 0;
      for (const link_map* other = first_object(); other != nullptr; other = other->l_next, ++at) {
        if (!names_object(names + entry->d_un.d_val, other)) continue;
        if (at > last_index) {
          last_index = at;
          last = other;
        }
        break;
      }
    }
  }
  return last;
}

Definition definition_in(const char* soname, const SymbolName& name) {
  for (const link_map* object = first_object(); object != nullptr; object = object->l_next) {
    if (object->l_ld == nullptr) continue;
    const SymbolTable table(object->l_ld, object->l_addr);
    if (std::strcmp(table.soname(), soname) != 0) continue;
    const ElfW(Sym)* symbol = table.find(name);
    return symbol == nullptr ? Definition{} : Definition{table.address_of(*symbol), object};
  }
  return {};
}

std::atomic<bool> resolved{false};
std::atomic<const link_map*> allocator{nullptr};

enum class Loaded : unsigned char { kUnknown, kInTime, kLate };
std::atomic<Loaded> loaded{Loaded::kUnknown};

}  // namespace

bool loaded_late() {
  Loaded known = loaded.load(std::memory_order_relaxed);
  if (__builtin_expect(known != Loaded::kUnknown, 1)) return known == Loaded::kLate;
  known = Loaded::kInTime;
  for (const link_map* object = first_object(); object != nullptr && !is_own(object);
       object = object->l_next) {
    if (object->l_ld == nullptr) continue;
    if (SymbolTable(object->l_ld, object->l_addr).find(kOnlyInLibc) != nullptr) {
      known = Loaded::kLate;
    }
  }
  loaded.store(known, std::memory_order_relaxed);
  return known == Loaded::kLate;
}

bool was_there_at_start(const link_map* wanted) {
  const link_map* last = last_of_start.load(std::memory_order_relaxed);
  for (const link_map* object = first_object(); object != nullptr;
       object = object == last ? nullptr : object->l_next) {
    if (object == wanted) return true;
  }
  return false;
}

const link_map* own_object() {
  const link_map* object = first_object();
  while (object != nullptr && !is_own(object)) object = object->l_next;
  return object;
}

Definition find_next_definition(const char* name) {
  return find_from(first_behind_hooks(), SymbolName(name));
}

Definition find_first_definition(const char* name) {
  return find_from(first_object(), SymbolName(name));
}

Definition find_definition_in(const char* soname, const char* name) {
  return definition_in(soname, SymbolName(name));
}

void* find_in_library(const char* soname, const SymbolName& name) {
  return definition_in(soname, name).address;
}

const link_map* allocator_object() {
  resolve_next_functions();
  return allocator.load(std::memory_order_relaxed);
}

void resolve_next_functions() {
  // Twice, when two threads come at once: both find the same.
  if (resolved.load(std::memory_order_acquire)) return;
  const link_map* const last = loaded_late() ? find_last_of_start() : nullptr;
  for (const link_map* object = first_behind_hooks(); object != nullptr;
       object = object == last ? nullptr : object->l_next) {
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
  const bool is_libc = find_from(first_behind_hooks(), kOnlyInLibc).object == object;
  // The program's own is reached by no hook (program_hooks.h), so what it maps counts.
  const bool unseen = loaded_late() && object != nullptr && object->l_name[0] == '\0';
  const bool counts = !is_libc && !unseen;
  allocator.store(counts ? object : nullptr, std::memory_order_relaxed);
  if (counts) expect_calls_of_allocator();
  resolved.store(true, std::memory_order_release);
}

}  // namespace memlens::interposer

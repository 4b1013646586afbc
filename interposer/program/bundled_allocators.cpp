#include "interposer/program/bundled_allocators.h"

#include <link.h>

#include <atomic>
#include <cstring>

#include "interposer/definitions/definitions.h"
#include "interposer/loader/call_tables.h"
#include "interposer/loader/slot_patch.h"
#include "interposer/loader/symbol_table.h"
#include "interposer/program/allocator_names.h"
#include "interposer/program/bundled_hooks.h"
#include "interposer/program/hidden_jemalloc.h"
#include "interposer/program/registered_heaps.h"
#include "interposer/session/process.h"

namespace memlens::interposer {
namespace {

// ---- the libraries that are loaded

// Written by one thread at a time, whoever compares the modules; read by any.
struct Library {
  std::atomic<uintptr_t> start{0};  // 0: free
  std::atomic<uintptr_t> end{0};
  unsigned first_replacement = 0;
  unsigned replacement_count = 0;
  bool slots_done = false;
  // Its slots are done and its constructors have run, in which allocators reserve what they live
  // in.
  std::atomic<bool> constructed{false};
  std::atomic<bool> reached{false};  // it, or somebody, calls its functions through slots
};
constexpr unsigned kMaxLibraries = 16;
Library libraries[kMaxLibraries];

constexpr unsigned kMaxReplacements = kBundledHooks;
Replacement replacements[kMaxReplacements];
BundledHook* replacement_hooks[kMaxReplacements];
const ElfW(Sym) * replacement_symbols[kMaxReplacements];  // in the library itself
unsigned replacement_count = 0;
bool look_again = false;

// ---- what has been found out about code that maps memory: its address, shifted, and in the lowest
// bit whether it is such a library's

constexpr unsigned kKnownCodeBits = 6;
std::atomic<uintptr_t> known_code[1u << kKnownCodeBits];

std::atomic<uintptr_t>& known_place(uintptr_t code) {
  constexpr uintptr_t kHashFactor = 0x9E3779B97F4A7C15;
  return known_code[code * kHashFactor >> (64 - kKnownCodeBits)];
}

void forget_known_code() {
  for (std::atomic<uintptr_t>& code : known_code) code.store(0, std::memory_order_relaxed);
}

struct Found {
  const ElfW(Sym) * symbol;
  AllocatorFunction function;
};
constexpr size_t kMaxFound = 96;

bool is_function(const ElfW(Sym) & symbol) {
  const unsigned binding = ELF64_ST_BIND(symbol.st_info);
  return symbol.st_shndx != SHN_UNDEF && symbol.st_value != 0 &&
         ELF64_ST_TYPE(symbol.st_info) == STT_FUNC &&
         (binding == STB_GLOBAL || binding == STB_WEAK);
}

// Of each allocator that gives blocks and takes them back.
size_t find_functions(const CallTables& object, bool plain, Found (&found)[kMaxFound]) {
  if (!object.is_usable()) return 0;
  if (!plain && !may_name_allocator(object.names(), object.names_bytes())) return 0;
  bool principal[kBundledAllocators] = {}, frees[kBundledAllocators] = {};
  size_t count = 0;
  const size_t symbols = object.symbol_count();
  for (size_t i = 1; i < symbols && count < kMaxFound; ++i) {
    const ElfW(Sym)& symbol = object.symbol(i);
    if (!is_function(symbol)) continue;
    const char* name = object.names() + symbol.st_name;
    // CPython has a mimalloc inside, behind an interface that is recorded.
    if (std::strcmp(name, "PyMem_SetAllocator") == 0) return 0;
    Found& next = found[count];
    if (!find_allocator_function(name, next.function) &&
        !(plain && find_plain_function(name, next.function))) {
      continue;
    }
    // Already somebody's hook: a library that is looked at twice.
    if (!object.contains(object.load_bias() + symbol.st_value)) continue;
    next.symbol = &symbol;
    ++count;
    const auto allocator = static_cast<unsigned>(next.function.allocator);
    if (!gives_blocks(next.function.shape)) frees[allocator] = true;
    if (is_principal(name)) principal[allocator] = true;
  }
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto allocator = static_cast<unsigned>(found[i].function.allocator);
    if (principal[allocator] && frees[allocator]) found[kept++] = found[i];
  }
  return kept;
}

// Libc, a second one in a namespace of its own, is none that a library brought.
bool defines_malloc(const LoadedObject& object) {
  const SymbolTable table(object.dynamic, object.load_bias);
  static constexpr SymbolName kMalloc("malloc"), kOnlyInLibc("gnu_get_libc_version");
  return table.find(kMalloc) != nullptr && table.find(kOnlyInLibc) == nullptr;
}

bool calls_through_slots(const CallTables& object, const Found* found, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const auto index = static_cast<size_t>(found[i].symbol - &object.symbol(0));
    if (gives_blocks(found[i].function.shape) && object.has_slot_for(index)) return true;
  }
  return false;
}

// Or one under libc's names, which may be.
bool brings_jemalloc(const Found* found, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const BundledAllocator allocator = found[i].function.allocator;
    if (allocator == BundledAllocator::kJemalloc || allocator == BundledAllocator::kMalloc)
      return true;
  }
  return false;
}

// All or nothing: a block whose free is not seen would look like a leak.
bool there_are_hooks_for(const Found* found, size_t count) {
  unsigned wanted[kCallShapes] = {};
  for (size_t i = 0; i < count; ++i) ++wanted[static_cast<unsigned>(found[i].function.shape)];
  for (unsigned shape = 0; shape < kCallShapes; ++shape) {
    if (wanted[shape] > free_bundled_hooks(static_cast<CallShape>(shape))) return false;
  }
  return replacement_count + count <= kMaxReplacements && can_register_functions(count);
}

Library* free_library() {
  for (Library& library : libraries) {
    if (library.start.load(std::memory_order_relaxed) == 0) return &library;
  }
  return nullptr;
}

void hook_slots(const CallTables& object) {
  if (!object.is_usable()) return;
  for (Library& library : libraries) {
    const uintptr_t start = library.start.load(std::memory_order_relaxed);
    if (start == 0 || library.slots_done) continue;
    const PatchCount done =
        replace_in_slots(object, object.start() == start, &replacements[library.first_replacement],
                         library.replacement_count);
    if (done.slots != 0) library.reached.store(true, std::memory_order_relaxed);
    if (!done.ready) look_again = true;
  }
}

// In an object that has come after the libraries whose functions it may call.
void hook_slots_of(const CallTables& object) {
  if (!object.is_usable()) return;
  for (Library& library : libraries) {
    if (library.start.load(std::memory_order_relaxed) == 0 || !library.slots_done) continue;
    const PatchCount done = replace_in_slots(
        object, false, &replacements[library.first_replacement], library.replacement_count);
    if (done.slots != 0) library.reached.store(true, std::memory_order_relaxed);
    if (!done.ready) look_again = true;
  }
}

}  // namespace

void look_for_bundled_allocator(const LoadedObject& loaded, bool opened_later) {
  forget_known_code();
  const CallTables object(loaded);
  if (replacement_count != 0) hook_slots_of(object);
  Found found[kMaxFound];
  const size_t count = find_functions(object, opened_later && defines_malloc(loaded), found);
  // The program itself has no name here, and calls its own functions directly.
  const bool is_program = loaded.name[0] == '\0';
  if (is_program || !brings_jemalloc(found, count)) look_for_hidden_jemalloc(loaded);
  if (count == 0 || is_program) return;
  Library* library = free_library();
  if (library == nullptr || !there_are_hooks_for(found, count)) {
    define_diagnostic(format::DiagnosticCode::kOther,
                      "more allocators of libraries than can be recorded; some are not seen");
    return;
  }
  library->first_replacement = replacement_count;
  for (size_t i = 0; i < count; ++i) {
    const char* name = object.names() + found[i].symbol->st_name;
    const uintptr_t real = object.load_bias() + found[i].symbol->st_value;
    const unsigned heap = register_heap(found[i].function.allocator, loaded.name);
    format::AllocationKind kind{};
    if (gives_blocks(found[i].function.shape)) {
      const char* shown = found[i].function.shown;
      kind = register_function(heap, shown != nullptr ? shown : name);
    }
    BundledHook* hook = take_bundled_hook(found[i].function.shape, real, kind);
    if (hook == nullptr) break;
    replacement_hooks[replacement_count] = hook;
    replacement_symbols[replacement_count] = found[i].symbol;
    replacements[replacement_count++] = {real, hook->entry};
  }
  library->replacement_count = replacement_count - library->first_replacement;
  library->slots_done = false;
  library->constructed.store(false, std::memory_order_relaxed);
  library->reached.store(calls_through_slots(object, found, count), std::memory_order_relaxed);
  library->end.store(object.end(), std::memory_order_relaxed);
  library->start.store(object.start(), std::memory_order_release);
  // The symbols first: what is bound while the slots are gone through has the hook already.
  for (unsigned i = 0; i < library->replacement_count; ++i) {
    const Replacement& replacement = replacements[library->first_replacement + i];
    for (size_t j = 0; j < count; ++j) replace_in_symbol(object, *found[j].symbol, replacement);
  }
}

void hook_bundled_allocators() {
  const bool constructed = !library_is_opening();
  bool wanted = look_again;
  for (Library& library : libraries) {
    const bool there = library.start.load(std::memory_order_relaxed) != 0;
    wanted = wanted || (there && !library.slots_done);
    if (there && library.slots_done && constructed) {
      library.constructed.store(true, std::memory_order_release);
    }
  }
  if (!wanted) return;
  if (look_again) {
    for (Library& library : libraries) library.slots_done = false;
  }
  look_again = false;
  const size_t count = loaded_object_count();
  for (size_t i = 0; i < count; ++i) {
    LoadedObject object;
    if (loaded_object_at(i, object)) hook_slots(CallTables(object));
  }
  for (Library& library : libraries) {
    library.slots_done = true;
    if (constructed) library.constructed.store(true, std::memory_order_release);
  }
}

bool lead_bundled_calls(bool to_hooks) {
  static Replacement led[kMaxReplacements];  // by one thread at a time
  for (unsigned i = 0; i < replacement_count; ++i) {
    const Replacement& hook = replacements[i];
    led[i] = to_hooks ? hook : Replacement{hook.to, hook.from};
  }
  const size_t count = loaded_object_count();
  // What has gone meanwhile has no symbols to be changed, and no callers.
  for (size_t at = 0; at < count; ++at) {
    LoadedObject object;
    if (!loaded_object_at(at, object)) continue;
    for (const Library& library : libraries) {
      if (library.start.load(std::memory_order_relaxed) != object.start) continue;
      const CallTables tables(object);
      for (unsigned i = 0; i < library.replacement_count; ++i) {
        const unsigned number = library.first_replacement + i;
        const ElfW(Sym)* symbol = replacement_symbols[number];
        if (!tables.contains(reinterpret_cast<uintptr_t>(symbol))) continue;
        replace_in_symbol(tables, *symbol, led[number]);
      }
    }
  }
  bool ready = true;
  for (size_t at = 0; at < count && replacement_count != 0; ++at) {
    LoadedObject object;
    if (!loaded_object_at(at, object)) continue;
    const CallTables tables(object);
    if (!tables.is_usable()) continue;
    for (const Library& library : libraries) {
      const uintptr_t start = library.start.load(std::memory_order_relaxed);
      if (start == 0) continue;
      ready &= replace_in_slots(tables, object.start == start, &led[library.first_replacement],
                                library.replacement_count)
                   .ready;
    }
  }
  return ready;
}

void forget_bundled_allocator(uint64_t start) {
  forget_known_code();
  forget_hidden_jemalloc(start);
  for (Library& library : libraries) {
    if (start == 0 || library.start.load(std::memory_order_relaxed) != start) continue;
    library.start.store(0, std::memory_order_release);
    // The others' replacements move up.
    const unsigned first = library.first_replacement;
    const unsigned count = library.replacement_count;
    for (unsigned i = first; i < first + count; ++i) give_bundled_hook_back(replacement_hooks[i]);
    for (unsigned i = first + count; i < replacement_count; ++i) {
      replacements[i - count] = replacements[i];
      replacement_hooks[i - count] = replacement_hooks[i];
      replacement_symbols[i - count] = replacement_symbols[i];
    }
    replacement_count -= count;
    for (Library& other : libraries) {
      if (other.first_replacement > first) other.first_replacement -= count;
    }
    library.replacement_count = 0;
  }
}

bool called_by_bundled_allocator(const void* code) {
  const auto address = reinterpret_cast<uintptr_t>(code);
  for (const Library& library : libraries) {
    const uintptr_t start = library.start.load(std::memory_order_acquire);
    if (start == 0 || address < start || address >= library.end.load(std::memory_order_relaxed))
      continue;
    // From then on it maps for its blocks within calls of hooks; what it maps beside is for others,
    // as of a second allocator that no hook reaches (Arrow's jemalloc).
    return !library.constructed.load(std::memory_order_acquire) &&
           library.reached.load(std::memory_order_relaxed);
  }
  // A library whose constructors run just now, perhaps.
  std::atomic<uintptr_t>& known = known_place(address);
  const uintptr_t before = known.load(std::memory_order_relaxed);
  if (before >> 1 == address) return (before & 1) != 0;
  LoadedObject loaded;
  if (!find_loaded_object(address, loaded)) return false;
  const CallTables object(loaded);
  Found found[kMaxFound];
  const size_t count = loaded.name[0] == '\0' ? 0 : find_functions(object, false, found);
  const bool is_jemallocs = loaded.name[0] == '\0' || !brings_jemalloc(found, count);
  const bool bundled = calls_through_slots(object, found, count) ||
                       (is_jemallocs && maps_for_hidden_jemalloc(loaded, address));
  known.store(address << 1 | (bundled ? 1 : 0), std::memory_order_relaxed);
  return bundled;
}

}  // namespace memlens::interposer

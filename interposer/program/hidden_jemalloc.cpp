#include "interposer/program/hidden_jemalloc.h"

#include <atomic>
#include <cerrno>
#include <cstring>

#include "interposer/guest/reentrancy.h"
#include "interposer/loader/call_tables.h"
#include "interposer/loader/file_functions.h"
#include "interposer/loader/next_definition.h"
#include "interposer/loader/program_path.h"
#include "interposer/program/registered_heaps.h"
#include "interposer/record/recorded_call.h"
#include "interposer/record/recorder.h"
#include "interposer/session/process.h"

namespace memlens::interposer {
namespace {

// ---- jemalloc's interface

using Control = int (*)(const char* name, void* old_value, size_t* old_bytes, void* new_value,
                        size_t new_bytes);

// From 5.3.1 on pvalloc stands before mallocx, so numbers from 6 on are to be told by arguments.
enum AllocatingCall : int {
  kMalloc,
  kPosixMemalign,
  kAlignedAlloc,
  kCalloc,
  kMemalign,
  kValloc,
  kMallocxOrPvalloc,
  kReallocOrMallocx,
  kRallocxOrRealloc,
  kRallocx
};
enum ResizingCall : int { kResizedByRealloc, kResizedByRallocx, kResizedByXallocx };

struct Hooks {
  void (*allocated)(void* heap, int call, void* result, uintptr_t raw_result,
                    uintptr_t arguments[3]);
  void (*freed)(void* heap, int call, void* block, uintptr_t arguments[3]);
  void (*resized)(void* heap, int call, void* block, size_t old_bytes, size_t new_bytes,
                  uintptr_t raw_result, uintptr_t arguments[4]);
  void* heap;
};

// ---- those that are there

enum Function : unsigned {
  kByMalloc,
  kByPosixMemalign,
  kByAlignedAlloc,
  kByCalloc,
  kByMemalign,
  kByValloc,
  kByMallocx,
  kByRealloc,
  kByRallocx,
  kByXallocx,
  kFunctions
};
constexpr const char* kFunctionNames[kFunctions] = {
    "malloc", "posix_memalign", "aligned_alloc", "calloc",  "memalign",
    "valloc", "mallocx",        "realloc",       "rallocx", "xallocx"};

constexpr unsigned kMaxMappers = 8;
struct CodeRange {
  uintptr_t start;
  uintptr_t end;
};

// In the file of an object.
struct Found {
  Control control = nullptr;
  char prefix[kMaxFileNameBytes] = {};  // of its functions' names
  CodeRange mappers[kMaxMappers] = {};
  unsigned mapper_count = 0;
};

enum class State : uint8_t { kNone, kFound, kHooking, kHooked, kRefused };

// Written by one thread at a time, which holds a LoaderReading; read by any, and by the hooks.
struct Jemalloc {
  std::atomic<State> state{State::kNone};
  std::atomic<uintptr_t> start{0};
  bool is_program = false;
  Found found;
  format::AllocationKind kinds[kFunctions];
  void* handle = nullptr;
};
constexpr unsigned kMaxJemallocs = 8;
Jemalloc jemallocs[kMaxJemallocs];
std::atomic<bool> is_to_be_hooked{false};

const format::AllocationKind& kind_of(const void* heap, Function function) {
  return static_cast<const Jemalloc*>(heap)->kinds[function];
}

// ---- what jemalloc calls: after a block is there, before one is given back, when one has another
// size in its place. It calls none of them from within one.

size_t product(size_t count, size_t bytes) {
  size_t total = 0;
  return __builtin_mul_overflow(count, bytes, &total) ? 0 : total;
}

// mallocx(bytes, flags) or realloc(block, bytes): nobody is given a block as large as an address,
// nor asks for none by mallocx.
bool is_realloc(const uintptr_t* arguments) {
  constexpr uintptr_t kLowestAddress = uintptr_t{1} << 40;
  return arguments[0] == 0 || arguments[0] >= kLowestAddress;
}

void allocated(void* heap, int call, void* result, uintptr_t raw_result, uintptr_t arguments[3]) {
  size_t bytes = 0;
  Function function = kByMalloc;
  switch (call) {
    case kMalloc:
      bytes = arguments[0];
      break;
    case kPosixMemalign:
      if (raw_result != 0) return;
      bytes = arguments[2];
      function = kByPosixMemalign;
      break;
    case kAlignedAlloc:
      bytes = arguments[1];
      function = kByAlignedAlloc;
      break;
    case kCalloc:
      bytes = product(arguments[0], arguments[1]);
      function = kByCalloc;
      break;
    case kMemalign:
      bytes = arguments[1];
      function = kByMemalign;
      break;
    case kValloc:
      bytes = arguments[0];
      function = kByValloc;
      break;
    case kMallocxOrPvalloc:
      bytes = arguments[0];
      function = kByMallocx;
      break;
    case kReallocOrMallocx:
      function = is_realloc(arguments) ? kByRealloc : kByMallocx;
      bytes = arguments[function == kByRealloc ? 1 : 0];
      break;
    case kRallocxOrRealloc:
      bytes = arguments[1];
      function = kByRealloc;
      break;
    case kRallocx:
      bytes = arguments[1];
      function = kByRallocx;
      break;
    default:
      return;
  }
  HookScope scope;
  recorded(scope, kind_of(heap, function), result, bytes);
}

void freed(void*, int, void* block, uintptr_t*) {
  HookScope scope;
  if (block != nullptr && scope.outermost()) record_free(block);
}

void resized(void* heap, int call, void* block, size_t, size_t new_bytes, uintptr_t,
             uintptr_t arguments[4]) {
  size_t bytes = arguments[1];
  Function function = call == kResizedByRealloc ? kByRealloc : kByRallocx;
  if (call == kResizedByXallocx) {
    if (new_bytes < bytes) return;  // it is what it was
    const size_t asked = arguments[2] < SIZE_MAX - bytes ? bytes + arguments[2] : SIZE_MAX;
    bytes = new_bytes < asked ? new_bytes : asked;
    function = kByXallocx;
  }
  HookScope scope;
  if (!scope.outermost()) return;
  record_free(block);
  record_allocation(kind_of(heap, function), block, bytes);
}

// ---- finding one

constexpr char kControl[] = "mallctl";
constexpr char kPages[] = "pages_";

// Not a method that calls it, of a C++ or Rust library around jemalloc.
bool is_control(const char* name) {
  if (name[0] == '_' && (name[1] == 'Z' || name[1] == 'R')) return false;
  const size_t bytes = std::strlen(name);
  return bytes >= sizeof kControl - 1 &&
         std::strcmp(name + bytes - (sizeof kControl - 1), kControl) == 0;
}

// je_pages_map, behind any prefix, and what the compiler has made of its static os_pages_map.
bool is_mapper(const char* name) {
  const char* at = std::strstr(name, kPages);
  if (at == nullptr || at - name < 3) return false;
  if (std::memcmp(at - 3, "je_", 3) != 0 && std::memcmp(at - 3, "os_", 3) != 0) return false;
  at += sizeof kPages - 1;
  return std::strncmp(at, "map", 3) == 0 || std::strncmp(at, "unmap", 5) == 0 ||
         std::strncmp(at, "boot", 4) == 0;
}

bool is_wanted_name(const char* name) { return is_control(name) || is_mapper(name); }

// What every jemalloc asks libc for, and few others do: the file is read only where all are there.
bool may_have_jemalloc(const CallTables& object) {
  constexpr const char* kNeeded[] = {"madvise", "munmap", "pthread_mutex_trylock"};
  constexpr unsigned kAll = 7;
  unsigned seen = 0;
  const size_t symbols = object.symbol_count();
  for (size_t i = 1; i < symbols && seen != kAll; ++i) {
    const ElfW(Sym)& symbol = object.symbol(i);
    if (symbol.st_shndx != SHN_UNDEF) continue;
    const char* name = object.names() + symbol.st_name;
    if (name[0] != 'm' && name[0] != 'p') continue;
    for (unsigned j = 0; j < 3; ++j) {
      if (std::strcmp(name, kNeeded[j]) == 0) seen |= 1u << j;
    }
  }
  return seen == kAll;
}

bool find_in(const LoadedObject& object, Found& found) {
  const CallTables tables(object);
  if (!tables.is_usable() || !may_have_jemalloc(tables)) return false;
  constexpr const char* kParts[] = {kControl, kPages};
  constexpr size_t kMost = 24;
  FileFunction functions[kMost];
  const size_t count = find_functions_in_file(object, kParts, 2, is_wanted_name, functions, kMost);
  for (size_t i = 0; i < count; ++i) {
    const FileFunction& function = functions[i];
    if (!is_control(function.name)) {
      if (found.mapper_count < kMaxMappers)
        found.mappers[found.mapper_count++] = {function.start, function.end};
      continue;
    }
    // Two of them: nobody knows whose blocks are whose.
    if (found.control != nullptr && found.control != reinterpret_cast<Control>(function.start))
      return false;
    found.control = reinterpret_cast<Control>(function.start);
    const size_t prefix = std::strlen(function.name) - (sizeof kControl - 1);
    std::memcpy(found.prefix, function.name, prefix);
    found.prefix[prefix] = '\0';
  }
  // What it maps would be counted beside its blocks.
  return found.control != nullptr && found.mapper_count != 0;
}

bool is_within(const Found& found, uintptr_t code) {
  for (unsigned i = 0; i < found.mapper_count; ++i) {
    // A return address is behind its call, which may be the function's last instruction.
    if (code > found.mappers[i].start && code <= found.mappers[i].end) return true;
  }
  return false;
}

// The program's malloc, which is hooked as such.
bool is_hooked_otherwise(const LoadedObject& object) {
  return object.link == own_object() || object.link == allocator_object();
}

bool is_loaded(const Jemalloc& jemalloc, LoadedObject& object) {
  return find_loaded_object(reinterpret_cast<uintptr_t>(jemalloc.found.control), object) &&
         object.start == jemalloc.start.load();
}

// False: there is no room.
bool register_functions(Jemalloc& jemalloc, const LoadedObject& object) {
  if (!can_register_functions(kFunctions)) return false;
  char program[4096];
  const char* path = object.name;
  if (jemalloc.is_program) {
    program[program_path(program, sizeof program)] = '\0';
    path = program;
  }
  const unsigned heap = register_heap(BundledAllocator::kJemalloc, path);
  for (unsigned i = 0; i < kFunctions; ++i) {
    char name[2 * kMaxFileNameBytes];
    std::strcpy(name, jemalloc.found.prefix);
    std::strcpy(name + std::strlen(name), kFunctionNames[i]);
    jemalloc.kinds[i] = register_function(heap, name);
  }
  return true;
}

// ---- hooks in and out

// Whether it has hooks is asked first: a heap stands in the capture only if it is recorded.
bool put_hooks_in(Jemalloc& jemalloc, const LoadedObject& object) {
  if (jemalloc.found.control("experimental.hooks.install", nullptr, nullptr, nullptr, 0) == ENOENT)
    return false;
  if (!register_functions(jemalloc, object)) return false;
  Hooks hooks = {allocated, freed, resized, &jemalloc};
  size_t bytes = sizeof jemalloc.handle;
  return jemalloc.found.control("experimental.hooks.install", &jemalloc.handle, &bytes, &hooks,
                                sizeof hooks) == 0;
}

void take_hooks_out(Jemalloc& jemalloc) {
  jemalloc.found.control("experimental.hooks.remove", nullptr, nullptr, &jemalloc.handle,
                         sizeof jemalloc.handle);
}

template <typename Act>
void with_each(State from, Act act) {
  const int saved_errno = errno;
  {
    // What is loaded stays so meanwhile.
    const LoaderReading reading;
    if (!reading.held()) return;
    for (Jemalloc& jemalloc : jemallocs) {
      State expected = from;
      LoadedObject object;
      if (!jemalloc.state.compare_exchange_strong(expected, State::kHooking)) continue;
      jemalloc.state.store(is_loaded(jemalloc, object) ? act(jemalloc, object) : State::kNone);
    }
  }
  errno = saved_errno;
}

}  // namespace

void look_for_hidden_jemalloc(const LoadedObject& object) {
  Found found;
  if (is_hooked_otherwise(object) || !find_in(object, found)) return;
  for (Jemalloc& jemalloc : jemallocs) {
    if (jemalloc.state.load() != State::kNone) continue;
    jemalloc.found = found;
    jemalloc.is_program = object.name[0] == '\0';
    jemalloc.start.store(object.start);
    jemalloc.state.store(State::kFound);
    is_to_be_hooked.store(true);
    return;
  }
}

void forget_hidden_jemalloc(uintptr_t start) {
  for (Jemalloc& jemalloc : jemallocs) {
    if (jemalloc.state.load() != State::kNone && jemalloc.start.load() == start)
      jemalloc.state.store(State::kNone);
  }
}

void hook_hidden_jemallocs() {
  if (__builtin_expect(!is_to_be_hooked.load(std::memory_order_relaxed), 1) || !recording()) return;
  is_to_be_hooked.store(false);
  with_each(State::kFound, [](Jemalloc& jemalloc, const LoadedObject& object) {
    return put_hooks_in(jemalloc, object) ? State::kHooked : State::kRefused;
  });
  for (const Jemalloc& jemalloc : jemallocs) {
    if (jemalloc.state.load() == State::kFound) is_to_be_hooked.store(true);
  }
}

void release_hidden_jemallocs() {
  with_each(State::kHooked, [](Jemalloc& jemalloc, const LoadedObject&) {
    take_hooks_out(jemalloc);
    is_to_be_hooked.store(true);  // by the next session
    return State::kFound;
  });
}

bool program_has_hooked_jemalloc() {
  for (const Jemalloc& jemalloc : jemallocs) {
    if (jemalloc.state.load() == State::kHooked && jemalloc.is_program) return true;
  }
  return false;
}

bool maps_for_hidden_jemalloc(const LoadedObject& object, uintptr_t code) {
  for (const Jemalloc& jemalloc : jemallocs) {
    const State state = jemalloc.state.load(std::memory_order_acquire);
    if (state == State::kNone || jemalloc.start.load() != object.start) continue;
    return state != State::kRefused && is_within(jemalloc.found, code);
  }
  // Its constructors run just now, in which it reserves its first memory.
  Found found;
  return !is_hooked_otherwise(object) && find_in(object, found) && is_within(found, code);
}

}  // namespace memlens::interposer

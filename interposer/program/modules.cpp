#include "interposer/program/modules.h"

#include <elf.h>
#include <errno.h>
#include <link.h>

#include <atomic>
#include <cstring>

#include "interposer/definitions/definitions.h"
#include "interposer/guest/private_memory.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/loader/base_name.h"
#include "interposer/loader/loader_list.h"
#include "interposer/loader/native_code_generation.h"
#include "interposer/loader/next_definition.h"
#include "interposer/loader/object_notes.h"
#include "interposer/loader/program_path.h"
#include "interposer/platform/system_call.h"
#include "interposer/platform/thread_calls.h"
#include "interposer/program/bundled_allocators.h"
#include "interposer/program/deep_bindings.h"
#include "interposer/program/hidden_jemalloc.h"
#include "interposer/program/program_gates.h"
#include "interposer/program/program_hooks.h"
#include "interposer/program/registered_heaps.h"
#include "interposer/session/process.h"
#include "interposer/stacks/module_places.h"

namespace memlens::interposer {
namespace {

constexpr size_t kMaxBuildIdBytes = 32;
constexpr size_t kMaxPathBytes = 4096;

struct Module {
  uint64_t load_bias;
  uint64_t start;
  uint64_t end;
  uint64_t place_tag;  // stacks/module_places.h
  const char* path;
  uint32_t id;  // in the capture
  uint8_t build_id_bytes;
  uint8_t build_id[kMaxBuildIdBytes];
  bool loaded;
  bool seen;   // by the scan that is going on
  bool fresh;  // by this one first
};

// Written under a LoaderReading. Kept in pages of our own and not in permanent memory, which a
// forked child drops.
Module* modules = nullptr;
uint32_t module_count = 0;
uint32_t module_capacity = 0;

char* text_block = nullptr;
size_t text_left = 0;
constexpr size_t kTextBlockBytes = 16 * 1024;

std::atomic<uint32_t> generation{0};
std::atomic<uint32_t> seen_generation{0};  // of the loader's list
std::atomic<bool> rpath_seen{false};

// In the segment's ticks of about 10 ms.
constexpr uint32_t kWatchTicks = 100;
std::atomic<uint32_t> watch_until{0};
std::atomic<uint32_t> last_look{0};

const char* keep_text(const char* text) {
  const size_t bytes = std::strlen(text) + 1;
  if (bytes > text_left) {
    auto* block = static_cast<char*>(map_pages(kTextBlockBytes));
    if (block == nullptr) return nullptr;
    text_block = block;
    text_left = kTextBlockBytes;
  }
  char* kept = text_block;
  std::memcpy(kept, text, bytes);
  text_block += bytes;
  text_left -= bytes;
  return kept;
}

Module* new_module() {
  for (uint32_t i = 0; i < module_count; ++i) {
    if (!modules[i].loaded) return &modules[i];
  }
  if (module_count == module_capacity) {
    const uint32_t larger = module_capacity == 0 ? 128 : module_capacity * 2;
    auto* grown = static_cast<Module*>(map_pages(larger * sizeof(Module)));
    if (grown == nullptr) return nullptr;
    if (modules != nullptr) {
      std::memcpy(grown, modules, module_count * sizeof(Module));
      unmap_pages(modules, module_capacity * sizeof(Module));
    }
    modules = grown;
    module_capacity = larger;
  }
  return &modules[module_count++];
}

// The build id lies in a note of the mapped file.
void read_build_id(const LoadedObject& object, Module& module) {
  for_each_note(object, [&](const Note& note) {
    if (note.type != NT_GNU_BUILD_ID || note.name_bytes != 4 ||
        std::memcmp(note.name, "GNU", 4) != 0 || note.content_bytes > kMaxBuildIdBytes) {
      return false;
    }
    module.build_id_bytes = static_cast<uint8_t>(note.content_bytes);
    std::memcpy(module.build_id, note.content, note.content_bytes);
    return true;
  });
}

// The loader has no name for the program itself, and relative ones for libraries opened by such.
const char* absolute_path(const char* name) {
  char path[kMaxPathBytes];
  if (name[0] == '\0') {
    path[program_path(path, sizeof path)] = '\0';
    return keep_text(path);
  }
  if (name[0] == '/' || std::strchr(name, '/') == nullptr) return keep_text(name);  // or the vDSO
  // The system call counts the NUL.
  const long length = system_call::working_directory(path, sizeof path);
  const size_t name_bytes = std::strlen(name) + 1;
  if (length <= 0 || path[0] != '/' || static_cast<size_t>(length) + name_bytes > sizeof path) {
    return keep_text(name);
  }
  path[length - 1] = '/';
  std::memcpy(path + length, name, name_bytes);
  return keep_text(path);
}

// Of a library: the program's own is looked in whoever opens.
bool has_rpath(const LoadedObject& object) {
  if (object.name[0] == '\0') return false;
  for (const ElfW(Dyn)* entry = object.dynamic; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_RPATH) return true;
  }
  return false;
}

void define(Module& module) {
  module.id = define_module(module.load_bias + module.place_tag, module.start + module.place_tag,
                            module.end + module.place_tag, module.path, module.build_id,
                            module.build_id_bytes);
}

bool same_module(const Module& module, const LoadedObject& object) {
  if (!module.loaded || module.load_bias != object.load_bias || module.start != object.start ||
      module.end != object.end) {
    return false;
  }
  // Another library at the same place has another name, or another build id.
  if (object.name[0] != '\0' && std::strcmp(base_name(object.name), base_name(module.path)) != 0) {
    return false;
  }
  Module fresh{};
  read_build_id(object, fresh);
  return fresh.build_id_bytes == module.build_id_bytes &&
         std::memcmp(fresh.build_id, module.build_id, fresh.build_id_bytes) == 0;
}

void look_at_module(const LoadedObject& object) {
  for (uint32_t i = 0; i < module_count; ++i) {
    if (same_module(modules[i], object)) {
      modules[i].seen = true;
      return;
    }
  }
  const char* path = absolute_path(object.name);
  Module* module = path == nullptr ? nullptr : new_module();
  if (module == nullptr) return;
  *module = {};
  module->load_bias = object.load_bias;
  module->start = object.start;
  module->end = object.end;
  module->place_tag = place_tag(object.name, object.load_bias, object.segments,
                                static_cast<int>(object.segment_count));
  module->path = path;
  read_build_id(object, *module);
  module->loaded = true;
  module->seen = true;
  define(*module);
  if (has_rpath(object)) rpath_seen.store(true, std::memory_order_relaxed);
  module->fresh = true;
}

bool is_fresh(const LoadedObject& object) {
  for (uint32_t i = 0; i < module_count; ++i) {
    Module& module = modules[i];
    if (!module.loaded || !module.fresh || module.start != object.start) continue;
    module.fresh = false;
    return true;
  }
  return false;
}

uint32_t now() {
  return process.segment == nullptr ? 0 : process.segment->tick.load(std::memory_order_relaxed);
}

void compare_with_loader() {
  const bool first = module_count == 0;  // what the program starts with is bound to us
  const bool late = loaded_late();
  for (uint32_t i = 0; i < module_count; ++i) modules[i].seen = false;
  const size_t count = loaded_object_count();
  for (size_t i = 0; i < count; ++i) {
    LoadedObject object;
    if (loaded_object_at(i, object)) look_at_module(object);
  }
  bool ended = false;
  for (uint32_t i = 0; i < module_count; ++i) {
    if (!modules[i].loaded || modules[i].seen) continue;
    modules[i].loaded = false;
    ended = true;
    forget_bundled_allocator(modules[i].start);
    if (modules[i].id != 0) define_module_end(modules[i].id);
  }
  // After what has ended: it may be at the same place.
  for (size_t i = 0; i < count; ++i) {
    LoadedObject object;
    if (!loaded_object_at(i, object) || !is_fresh(object)) continue;
    if (late && object.link == own_object()) continue;
    open_program_gates(object);
    // Loaded late, its slots are led to the hooks with all others' (program_hooks.h).
    if (!late && !first) hook_deep_bindings(object);
    look_for_bundled_allocator(object, late ? !was_there_at_start(object.link) : !first);
  }
  if (ended) native_code_has_changed();
  generation.fetch_add(1, std::memory_order_release);
}

bool look_at_loader() {
  const int saved_errno = errno;
  bool looked = false;
  {
    const LoaderReading reading;
    refresh_loader_list(reading);
    looked = reading.held();
    const uint32_t current = loader_list_generation();
    if (looked && seen_generation.exchange(current) != current) compare_with_loader();
    if (looked) hook_bundled_allocators();
    if (looked && loaded_late()) revisit_program_hooks();
  }
  errno = saved_errno;
  return looked;
}

}  // namespace

void scan_modules() {
  const SessionStay stay;
  if (stay) look_at_loader();
}

void scan_modules_while_joining() {
  // Nobody else looks for long.
  for (int i = 0; i < 100 && !look_at_loader(); ++i) system_call::let_others_run();
}

void expect_module_change() {
  expect_loader_change();
  // Never 0, which means that nothing is expected.
  watch_until.store((now() + kWatchTicks) | 1, std::memory_order_relaxed);
}

void poll_modules() {
  const uint32_t until = watch_until.load(std::memory_order_relaxed);
  if (__builtin_expect(until == 0, 1)) return;
  const uint32_t tick = now();
  if (last_look.exchange(tick, std::memory_order_relaxed) == tick) return;
  if (static_cast<int32_t>(tick - until) > 0) watch_until.store(0, std::memory_order_relaxed);
  scan_modules();
}

void look_at_safe_place() {
  if (watch_until.load(std::memory_order_relaxed) != 0) {
    HookScope scope;
    if (scope.outermost()) scan_modules();
  }
  hook_hidden_jemallocs();
}

void met_object(const link_map* link) {
  if (__builtin_expect(is_listed(link) && seen_generation.load() == loader_list_generation(), 1)) {
    return;
  }
  scan_modules();
  if (!is_listed(link)) expect_module_change();
}

void inherit_modules() { inherit_loader_list(); }

void describe_known_modules() {
  for (uint32_t i = 0; i < module_count; ++i) {
    if (modules[i].loaded) define(modules[i]);
  }
  describe_registered_heaps();
}

bool libraries_have_rpath() { return rpath_seen.load(std::memory_order_relaxed); }

uint32_t module_generation() { return generation.load(std::memory_order_acquire); }

}  // namespace memlens::interposer

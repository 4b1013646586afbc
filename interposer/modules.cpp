#include "interposer/modules.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <sched.h>

#include <atomic>
#include <cstring>

#include "interposer/definitions.h"
#include "interposer/private_memory.h"
#include "interposer/process.h"
#include "interposer/program_path.h"
#include "interposer/stacks/module_places.h"
#include "interposer/stacks/unwind_rule_cache.h"
#include "interposer/system_call.h"

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
  bool seen;  // by the scan that is going on
};

// Kept in pages of our own and not in permanent memory, which a forked child drops.
Module* modules = nullptr;
uint32_t module_count = 0;
uint32_t module_capacity = 0;

char* text_block = nullptr;
size_t text_left = 0;
constexpr size_t kTextBlockBytes = 64 * 1024;

std::atomic<uint32_t> busy{0};
std::atomic<uint32_t> generation{0};
uint64_t known_loads = 0;
uint64_t known_unloads = 0;

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
void read_build_id(const dl_phdr_info& info, Module& module) {
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info.dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const uint64_t alignment = segment.p_align == 8 ? 8 : 4;
    const auto* note = reinterpret_cast<const char*>(info.dlpi_addr + segment.p_vaddr);
    const char* const end = note + segment.p_memsz;
    while (note + sizeof(ElfW(Nhdr)) <= end) {
      ElfW(Nhdr) header;
      std::memcpy(&header, note, sizeof header);
      const char* name = note + sizeof header;
      const char* content = name + ((header.n_namesz + alignment - 1) & ~(alignment - 1));
      const char* next = content + ((header.n_descsz + alignment - 1) & ~(alignment - 1));
      if (content + header.n_descsz > end) break;
      if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 &&
          std::memcmp(name, "GNU", 4) == 0 && header.n_descsz <= kMaxBuildIdBytes) {
        module.build_id_bytes = static_cast<uint8_t>(header.n_descsz);
        std::memcpy(module.build_id, content, header.n_descsz);
        return;
      }
      note = next;
    }
  }
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
  const long length = syscall(SYS_getcwd, path, sizeof path);
  const size_t name_bytes = std::strlen(name) + 1;
  if (length <= 0 || path[0] != '/' || static_cast<size_t>(length) + name_bytes > sizeof path) {
    return keep_text(name);
  }
  path[length - 1] = '/';
  std::memcpy(path + length, name, name_bytes);
  return keep_text(path);
}

void define(Module& module) {
  module.id = define_module(module.load_bias + module.place_tag, module.start + module.place_tag,
                            module.end + module.place_tag, module.path, module.build_id,
                            module.build_id_bytes);
}

bool same_module(const Module& module, const dl_phdr_info& info, uint64_t start, uint64_t end) {
  if (!module.loaded || module.load_bias != info.dlpi_addr || module.start != start ||
      module.end != end) {
    return false;
  }
  // Another library at the same place has another name, or another build id.
  const char* name = std::strrchr(info.dlpi_name, '/');
  name = name == nullptr ? info.dlpi_name : name + 1;
  const char* known = std::strrchr(module.path, '/');
  known = known == nullptr ? module.path : known + 1;
  if (info.dlpi_name[0] != '\0' && std::strcmp(name, known) != 0) return false;
  Module fresh{};
  read_build_id(info, fresh);
  return fresh.build_id_bytes == module.build_id_bytes &&
         std::memcmp(fresh.build_id, module.build_id, fresh.build_id_bytes) == 0;
}

int look_at_module(dl_phdr_info* info, size_t, void*) {
  known_loads = info->dlpi_adds;
  known_unloads = info->dlpi_subs;
  uint64_t start = UINT64_MAX, end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD) continue;
    const uint64_t segment_start = info->dlpi_addr + segment.p_vaddr;
    if (segment_start < start) start = segment_start;
    if (segment_start + segment.p_memsz > end) end = segment_start + segment.p_memsz;
  }
  if (end == 0) return 0;
  for (uint32_t i = 0; i < module_count; ++i) {
    if (same_module(modules[i], *info, start, end)) {
      modules[i].seen = true;
      return 0;
    }
  }
  const char* path = absolute_path(info->dlpi_name);
  Module* module = path == nullptr ? nullptr : new_module();
  if (module == nullptr) return 0;
  *module = {};
  module->load_bias = info->dlpi_addr;
  module->start = start;
  module->end = end;
  module->place_tag =
      place_tag(info->dlpi_name, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum);
  module->path = path;
  read_build_id(*info, *module);
  module->loaded = true;
  module->seen = true;
  define(*module);
  return 0;
}

int look_at_counters(dl_phdr_info* info, size_t, void* changed) {
  *static_cast<bool*>(changed) = info->dlpi_adds != known_loads || info->dlpi_subs != known_unloads;
  return 1;
}

bool loader_list_changed() {
  bool changed = false;
  dl_iterate_phdr(look_at_counters, &changed);
  return changed;
}

uint32_t now() {
  return process.segment == nullptr ? 0 : process.segment->tick.load(std::memory_order_relaxed);
}

void compare_with_loader() {
  // Ended modules are written first: the range may be another's by now.
  for (uint32_t i = 0; i < module_count; ++i) modules[i].seen = false;
  const uint64_t old_loads = known_loads, old_unloads = known_unloads;
  dl_iterate_phdr(look_at_module, nullptr);
  for (uint32_t i = 0; i < module_count; ++i) {
    if (!modules[i].loaded || modules[i].seen) continue;
    modules[i].loaded = false;
    if (modules[i].id != 0) define_module_end(modules[i].id);
  }
  if (known_unloads != old_unloads) unwind::forget_rules();
  if (known_loads != old_loads || known_unloads != old_unloads) {
    generation.fetch_add(1, std::memory_order_release);
  }
}

}  // namespace

void scan_modules() {
  if (!recording() || busy.exchange(1, std::memory_order_acquire) != 0) return;
  const int saved_errno = errno;
  if (loader_list_changed()) compare_with_loader();
  busy.store(0, std::memory_order_release);
  errno = saved_errno;
}

void expect_module_change() {
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

void describe_inherited_modules() {
  busy.store(0, std::memory_order_relaxed);  // whoever was at it is no thread of this process
  // Nor is whoever opens a library just now, and may hold the loader's lock in this copy for good.
  // What this process opens itself leaves a new note.
  watch_until.store(0, std::memory_order_relaxed);
  for (uint32_t i = 0; i < module_count; ++i) {
    if (modules[i].loaded) define(modules[i]);
  }
}

uint32_t module_generation() { return generation.load(std::memory_order_acquire); }

void hold_module_scans() {
  // Bounded: a scan that was left for good (a signal handler jumped out of it) must not stop a
  // fork.
  for (int i = 0; i < 1000 && busy.exchange(1, std::memory_order_acquire) != 0; ++i) sched_yield();
}

void release_module_scans() { busy.store(0, std::memory_order_release); }

}  // namespace memlens::interposer

#include "interposer/stacks/unwind_objects.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include <cstring>

#include "interposer/guest/stack_memory.h"
#include "interposer/loader/loader_list.h"
#include "interposer/stacks/module_places.h"
#include "interposer/stacks/processor.h"

// Weak, so that the library also loads where it is not there.
extern "C" __attribute__((weak)) int _dl_find_object(void* address,
                                                     struct dl_find_object* result) noexcept;

namespace memlens::interposer::unwind {
namespace {

// What the loader says about an address.
struct Loaded {
  uintptr_t start;
  uintptr_t end;
  uintptr_t load_bias;
  const char* name;
  const link_map* link;
  const ElfW(Dyn) * dynamic;
  const uint8_t* eh_frame_header;
  const ElfW(Phdr) * segments;  // nullptr: to be found
  int segment_count;
};

bool look_in_list(uintptr_t address, Loaded& loaded) {
  LoadedObject object;
  if (!find_loaded_object(address, object)) return false;
  loaded = {};
  loaded.start = object.start;
  loaded.end = object.end;
  loaded.load_bias = object.load_bias;
  loaded.name = object.name;
  loaded.link = object.link;
  loaded.dynamic = object.dynamic;
  loaded.segments = object.segments;
  loaded.segment_count = static_cast<int>(object.segment_count);
  for (size_t i = 0; i < object.segment_count; ++i) {
    const ElfW(Phdr)& segment = object.segments[i];
    if (segment.p_type == PT_GNU_EH_FRAME) {
      loaded.eh_frame_header = reinterpret_cast<const uint8_t*>(object.load_bias + segment.p_vaddr);
    }
  }
  return true;
}

bool ask_loader(uintptr_t address, Loaded& loaded) {
  if (_dl_find_object == nullptr) return look_in_list(address, loaded);
  struct dl_find_object object;
  if (_dl_find_object(reinterpret_cast<void*>(address), &object) != 0) return false;
  loaded.start = reinterpret_cast<uintptr_t>(object.dlfo_map_start);
  loaded.end = reinterpret_cast<uintptr_t>(object.dlfo_map_end);
  loaded.load_bias = object.dlfo_link_map->l_addr;
  loaded.name = object.dlfo_link_map->l_name;
  loaded.link = object.dlfo_link_map;
  loaded.dynamic = object.dlfo_link_map->l_ld;
  loaded.eh_frame_header = static_cast<const uint8_t*>(object.dlfo_eh_frame);
  loaded.segments = nullptr;
  loaded.segment_count = 0;
  return true;
}

// The loader knows where the dynamic section is, so headers that put it there are the object's.
bool are_headers_of(const Loaded& loaded, const ElfW(Phdr) * headers, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (headers[i].p_type != PT_DYNAMIC) continue;
    return loaded.load_bias + headers[i].p_vaddr == reinterpret_cast<uintptr_t>(loaded.dynamic);
  }
  return false;
}

bool find_segments(Loaded& loaded) {
  if (loaded.segments != nullptr) return true;
  const auto* program = reinterpret_cast<const ElfW(Phdr)*>(getauxval(AT_PHDR));
  const size_t program_count = getauxval(AT_PHNUM);
  if (loaded.name[0] == '\0' && program != nullptr &&
      are_headers_of(loaded, program, program_count)) {
    loaded.segments = program;
    loaded.segment_count = static_cast<int>(program_count);
    return true;
  }
  // Of a library, the loader maps all in one piece, which begins with the file's header.
  if (loaded.start == 0 || !is_readable(loaded.start)) return false;
  ElfW(Ehdr) header;
  std::memcpy(&header, reinterpret_cast<const void*>(loaded.start), sizeof header);
  constexpr size_t kFirstPageBytes = 4096;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_phentsize != sizeof(ElfW(Phdr)) || header.e_phoff > kFirstPageBytes ||
      header.e_phoff + size_t{header.e_phnum} * sizeof(ElfW(Phdr)) > kFirstPageBytes) {
    return false;
  }
  const auto* headers = reinterpret_cast<const ElfW(Phdr)*>(loaded.start + header.e_phoff);
  if (!are_headers_of(loaded, headers, header.e_phnum)) return false;
  loaded.segments = headers;
  loaded.segment_count = header.e_phnum;
  return true;
}

// Also what has no program headers is an entry of the cache, and is not looked for again.
void describe(Loaded& loaded, CodeObject& object) {
  object = CodeObject{};
  object.start = loaded.start;
  object.end = loaded.end;
  object.load_bias = loaded.load_bias;
  object.identity_link = loaded.link;
  object.is_program = loaded.name[0] == '\0';
  object.section.header = loaded.eh_frame_header;
  if (!find_segments(loaded)) return;
  object.section.segments = {loaded.load_bias, loaded.segments, loaded.segment_count};
  object_is_met(loaded.link);
  object.place_tag =
      place_tag(loaded.name, loaded.load_bias, loaded.segments, loaded.segment_count);
}

}  // namespace

const CodeObject* find_object(uintptr_t address, ObjectCache& cache) {
  Loaded loaded;
  if (!ask_loader(address, loaded)) return nullptr;
  CodeObject* object = nullptr;
  for (CodeObject& entry : cache.entries) {
    if (entry.start == loaded.start && entry.end == loaded.end &&
        entry.identity_link == loaded.link && entry.section.header == loaded.eh_frame_header) {
      object = &entry;
    }
  }
  if (object == nullptr) {
    object = &cache.entries[cache.next++ % ObjectCache::kEntries];
    describe(loaded, *object);
  }
  return object->holds_code(address) ? object : nullptr;
}

bool is_return_address(uintptr_t address, ObjectCache& cache) {
  if (address < kLongestCall) return false;
  const CodeObject* object = find_object(address - 1, cache);
  if (object == nullptr || !object->holds_code(address - kLongestCall)) return false;
  return is_call_before(reinterpret_cast<const uint8_t*>(address));
}

}  // namespace memlens::interposer::unwind

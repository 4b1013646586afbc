#include "interposer/stacks/unwind_objects.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <cstring>

#include "interposer/stacks/module_places.h"
#include "interposer/stacks/unwind_memory.h"

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
  const void* link;
  const uint8_t* eh_frame_header;
  const ElfW(Phdr) * segments;  // nullptr: to be found in the mapped file header
  int segment_count;
};

struct PhdrSearch {
  uintptr_t address;
  Loaded* found;
  bool done;
};

int match_phdr(dl_phdr_info* info, size_t, void* argument) {
  auto& search = *static_cast<PhdrSearch*>(argument);
  uintptr_t start = UINTPTR_MAX, end = 0;
  const uint8_t* header = nullptr;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    const uintptr_t address = info->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD) {
      if (address < start) start = address;
      if (address + segment.p_memsz > end) end = address + segment.p_memsz;
    } else if (segment.p_type == PT_GNU_EH_FRAME) {
      header = reinterpret_cast<const uint8_t*>(address);
    }
  }
  if (search.address < start || search.address >= end) return 0;
  *search.found = {start & ~uintptr_t{4095}, end,    info->dlpi_addr, info->dlpi_name,
                   info->dlpi_phdr,          header, info->dlpi_phdr, info->dlpi_phnum};
  search.done = true;
  return 1;
}

bool ask_loader(uintptr_t address, Loaded& loaded) {
  if (_dl_find_object == nullptr) {
    PhdrSearch search{address, &loaded, false};
    dl_iterate_phdr(match_phdr, &search);
    return search.done;
  }
  struct dl_find_object object;
  if (_dl_find_object(reinterpret_cast<void*>(address), &object) != 0) return false;
  loaded.start = reinterpret_cast<uintptr_t>(object.dlfo_map_start);
  loaded.end = reinterpret_cast<uintptr_t>(object.dlfo_map_end);
  loaded.load_bias = object.dlfo_link_map->l_addr;
  loaded.name = object.dlfo_link_map->l_name;
  loaded.link = object.dlfo_link_map;
  loaded.eh_frame_header = static_cast<const uint8_t*>(object.dlfo_eh_frame);
  loaded.segments = nullptr;
  loaded.segment_count = 0;
  return true;
}

// The file's header is the start of its first segment in everything linkers make.
bool find_segments(Loaded& loaded) {
  if (loaded.segments != nullptr) return true;
  if (loaded.start == 0 || !is_readable(loaded.start)) return false;
  ElfW(Ehdr) header;
  std::memcpy(&header, reinterpret_cast<const void*>(loaded.start), sizeof header);
  constexpr size_t kFirstPageBytes = 4096;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_phentsize != sizeof(ElfW(Phdr)) ||
      header.e_phoff + size_t{header.e_phnum} * sizeof(ElfW(Phdr)) > kFirstPageBytes) {
    return false;
  }
  loaded.segments = reinterpret_cast<const ElfW(Phdr)*>(loaded.start + header.e_phoff);
  loaded.segment_count = header.e_phnum;
  return true;
}

void describe(Loaded& loaded, CodeObject& object) {
  object = CodeObject{};
  object.start = loaded.start;
  object.end = loaded.end;
  object.load_bias = loaded.load_bias;
  object.identity_link = loaded.link;
  object.is_program = loaded.name[0] == '\0';
  if (!find_segments(loaded)) return;
  object.section.header = loaded.eh_frame_header;
  for (int i = 0; i < loaded.segment_count; ++i) {
    const ElfW(Phdr)& segment = loaded.segments[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_R) == 0) continue;
    const auto* begin = reinterpret_cast<const uint8_t*>(loaded.load_bias + segment.p_vaddr);
    // Up to the file's bytes: unwind information and code are in the file.
    const ByteRange range{begin, begin + segment.p_filesz};
    if (object.section.readable_count < UnwindSection::kMaxReadable) {
      object.section.readable[object.section.readable_count++] = range;
    }
    if ((segment.p_flags & PF_X) != 0 && object.code_count < CodeObject::kMaxCodeRanges) {
      object.code[object.code_count++] = range;
    }
  }
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
  constexpr uintptr_t kLongestCall = 7;
  if (address < kLongestCall) return false;
  const CodeObject* object = find_object(address - 1, cache);
  if (object == nullptr || !object->holds_code(address - kLongestCall)) return false;
  const auto* code = reinterpret_cast<const uint8_t*>(address);
  if (code[-5] == 0xe8) return true;  // call rel32
  // ff /2: an indirect call through a register or memory, two to seven bytes long.
  for (int length = 2; length <= 7; ++length) {
    if (code[-length] == 0xff && (code[-length + 1] & 0x38) == 0x10) return true;
  }
  return false;
}

}  // namespace memlens::interposer::unwind

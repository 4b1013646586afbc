// The notes of a loaded object: build ids, and where memlens.h has left its gate.
#pragma once

#include <link.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "interposer/loader/loader_list.h"

namespace memlens::interposer {

struct Note {
  uint32_t type;
  const char* name;
  size_t name_bytes;  // NUL included
  const char* content;
  size_t content_bytes;
};

// Calls `visit` with each, until it returns true.
template <typename Visit>
void for_each_note(const LoadedObject& object, Visit&& visit) {
  for (size_t i = 0; i < object.segment_count; ++i) {
    const ElfW(Phdr)& segment = object.segments[i];
    if (segment.p_type != PT_NOTE) continue;
    const uint64_t alignment = segment.p_align == 8 ? 8 : 4;
    const auto* note = reinterpret_cast<const char*>(object.load_bias + segment.p_vaddr);
    const char* const end = note + segment.p_memsz;
    while (note + sizeof(ElfW(Nhdr)) <= end) {
      ElfW(Nhdr) header;
      std::memcpy(&header, note, sizeof header);
      const char* name = note + sizeof header;
      const char* content = name + ((header.n_namesz + alignment - 1) & ~(alignment - 1));
      const char* next = content + ((header.n_descsz + alignment - 1) & ~(alignment - 1));
      if (content + header.n_descsz > end) break;
      if (visit(Note{header.n_type, name, header.n_namesz, content, header.n_descsz})) return;
      note = next;
    }
  }
}

}  // namespace memlens::interposer

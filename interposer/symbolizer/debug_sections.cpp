#include "interposer/symbolizer/debug_sections.h"

#include <gelf.h>

namespace memlens::symbolizer {

// Compressed ones were replaced by what they hold when libdw opened the file.
DebugSections debug_sections(Dwarf* dwarf) {
  DebugSections sections;
  Elf* elf = dwarf_getelf(dwarf);
  size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return sections;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type == SHT_NOBITS) continue;
    const char* text = elf_strptr(elf, names, header.sh_name);
    std::string_view name = text == nullptr ? std::string_view() : text;
    if (name.starts_with(".zdebug_")) name.remove_prefix(2);
    if (name.starts_with(".debug_")) name.remove_prefix(1);
    std::string_view* wanted = nullptr;
    if (name == "debug_line") wanted = &sections.line.lines;
    if (name == "debug_line_str") wanted = &sections.line.line_strings;
    if (name == "debug_str") wanted = &sections.line.strings;
    if (name == "debug_info") wanted = &sections.info;
    if (name == "debug_abbrev") wanted = &sections.abbreviations;
    if (wanted == nullptr) continue;
    const Elf_Data* data = elf_rawdata(section, nullptr);
    if (data == nullptr || data->d_buf == nullptr) continue;
    *wanted = {static_cast<const char*>(data->d_buf), data->d_size};
  }
  return sections;
}

}  // namespace memlens::symbolizer

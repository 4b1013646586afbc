#include "reader/symbolizer/built_in_allocator.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "reader/symbolizer/module_file.h"

namespace memlens::reader {
namespace {

// Each in two parts: this program has no such allocator inside, and should not look like it.
struct Mark {
  std::string_view allocator;
  std::string_view begin;
  std::string_view end;
};
constexpr Mark kMarks[] = {{"jemalloc", "<jemal", "loc>: "}, {"mimalloc", "mimal", "loc: "}};

// CPython from 3.13 on has a mimalloc inside, behind an interface that is recorded.
constexpr std::string_view kRecordedInterfaces[] = {"malloc", "PyMem_SetAllocator"};

bool has_recorded_interface(Elf* elf, Elf_Scn* section, const GElf_Shdr& header) {
  Elf_Data* symbols = elf_getdata(section, nullptr);
  if (symbols == nullptr || header.sh_entsize == 0) return false;
  const auto count = static_cast<int>(header.sh_size / header.sh_entsize);
  for (int i = 1; i < count; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(symbols, i, &symbol) == nullptr) return false;
    const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
    if (symbol.st_shndx != SHN_UNDEF && name != nullptr &&
        std::ranges::find(kRecordedInterfaces, name) != std::end(kRecordedInterfaces)) {
      return true;
    }
  }
  return false;
}

std::string_view allocator_in(Elf_Scn* section) {
  const Elf_Data* data = elf_rawdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr) return {};
  for (const Mark& mark : kMarks) {
    const std::string text = std::string(mark.begin).append(mark.end);
    if (memmem(data->d_buf, data->d_size, text.data(), text.size()) != nullptr) {
      return mark.allocator;
    }
  }
  return {};
}

}  // namespace

std::string_view built_in_allocator(const ModuleImage& module, const SymbolizerOptions& options) {
  const ModuleFile file(module, options);
  GElf_Addr bias = 0;
  Elf* elf = file.module() == nullptr ? nullptr : dwfl_module_getelf(file.module(), &bias);
  if (elf == nullptr) return {};
  std::string_view found;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    if (header.sh_type == SHT_DYNSYM && has_recorded_interface(elf, section, header)) return {};
    // Constants: in memory, and neither code nor to be written.
    const bool is_text = header.sh_type == SHT_PROGBITS && (header.sh_flags & SHF_ALLOC) != 0 &&
                         (header.sh_flags & (SHF_EXECINSTR | SHF_WRITE)) == 0;
    if (found.empty() && is_text) found = allocator_in(section);
  }
  return found;
}

}  // namespace memlens::reader

#include "interposer/symbolizer/built_in_allocator.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "interposer/symbolizer/module_file.h"

namespace memlens::symbolizer {
namespace {

// Each in two parts: this program has no such allocator inside, and should not look like it.
struct TextMark {
  std::string_view allocator;
  std::string_view begin;
  std::string_view end;
};
constexpr TextMark kTextMarks[] = {{"jemalloc", "<jemal", "loc>: "},
                                   {"mimalloc", "mimal", "loc: "},
                                   {"tcmalloc", "tcmal", "loc: large alloc"},
                                   {"Scudo", "Scudo ", "ERROR: "}};

// For allocators that print nothing, or nothing of their own. `is_prefix`: of a mangled name.
struct SymbolMark {
  std::string_view allocator;
  std::string_view name;
  bool is_prefix = false;
};
constexpr SymbolMark kSymbolMarks[] = {
    {"jemalloc", "je_malloc"},          {"jemalloc", "_rjem_malloc"},
    {"mimalloc", "mi_malloc"},          {"tcmalloc", "tc_malloc"},
    {"tcmalloc", "_ZN8tcmalloc", true}, {"snmalloc", "sn_malloc"},
    {"snmalloc", "_ZN8snmalloc", true}, {"rpmalloc", "rpmalloc"},
    {"tbbmalloc", "scalable_malloc"},   {"PartitionAlloc", "_ZN15partition_alloc", true},
};

// CPython from 3.13 on has a mimalloc inside, behind an interface that is recorded.
constexpr std::string_view kRecordedInterfaces[] = {"malloc", "PyMem_SetAllocator"};

class Finder {
 public:
  explicit Finder(Elf* elf) : elf_(elf) {}

  std::vector<std::string_view> run() {
    for (Elf_Scn* section = elf_nextscn(elf_, nullptr); section != nullptr;
         section = elf_nextscn(elf_, section)) {
      GElf_Shdr header;
      if (gelf_getshdr(section, &header) == nullptr) continue;
      if (header.sh_type == SHT_DYNSYM || header.sh_type == SHT_SYMTAB) {
        if (!look_at_symbols(section, header)) return {};
      }
      // Constants: in memory, and neither code nor to be written.
      const bool is_text = header.sh_type == SHT_PROGBITS && (header.sh_flags & SHF_ALLOC) != 0 &&
                           (header.sh_flags & (SHF_EXECINSTR | SHF_WRITE)) == 0;
      if (is_text) look_at_text(section);
    }
    return std::move(found_);
  }

 private:
  // False: the file has an interface that is recorded.
  bool look_at_symbols(Elf_Scn* section, const GElf_Shdr& header) {
    const bool exported = header.sh_type == SHT_DYNSYM;
    if (!exported && !has_interesting_names(header)) return true;
    Elf_Data* symbols = elf_getdata(section, nullptr);
    if (symbols == nullptr || header.sh_entsize == 0) return true;
    const auto count = static_cast<int>(header.sh_size / header.sh_entsize);
    for (int i = 1; i < count; ++i) {
      GElf_Sym symbol;
      if (gelf_getsym(symbols, i, &symbol) == nullptr) break;
      const char* text = elf_strptr(elf_, header.sh_link, symbol.st_name);
      if (symbol.st_shndx == SHN_UNDEF || text == nullptr) continue;
      const std::string_view name(text);
      if (exported && std::ranges::find(kRecordedInterfaces, name) != std::end(kRecordedInterfaces))
        return false;
      for (const SymbolMark& mark : kSymbolMarks) {
        if (mark.is_prefix ? name.starts_with(mark.name) : name == mark.name) add(mark.allocator);
      }
    }
    return true;
  }

  // A table of all functions is long, its text is searched faster than its symbols.
  bool has_interesting_names(const GElf_Shdr& header) const {
    Elf_Scn* names = elf_getscn(elf_, header.sh_link);
    const Elf_Data* data = names == nullptr ? nullptr : elf_rawdata(names, nullptr);
    return data != nullptr && data->d_buf != nullptr &&
           std::ranges::any_of(kSymbolMarks, [&](const SymbolMark& mark) {
             return memmem(data->d_buf, data->d_size, mark.name.data(), mark.name.size()) !=
                    nullptr;
           });
  }

  void look_at_text(Elf_Scn* section) {
    const Elf_Data* data = elf_rawdata(section, nullptr);
    if (data == nullptr || data->d_buf == nullptr) return;
    for (const TextMark& mark : kTextMarks) {
      const std::string text = std::string(mark.begin).append(mark.end);
      if (memmem(data->d_buf, data->d_size, text.data(), text.size()) != nullptr) {
        add(mark.allocator);
      }
    }
  }

  void add(std::string_view allocator) {
    if (std::ranges::find(found_, allocator) == found_.end()) found_.push_back(allocator);
  }

  Elf* elf_;
  std::vector<std::string_view> found_;
};

}  // namespace

std::vector<std::string_view> built_in_allocators(const ModuleImage& module,
                                                  const SymbolizerOptions& options) {
  const ModuleFile file(module, options);
  GElf_Addr bias = 0;
  Elf* elf = file.module() == nullptr ? nullptr : dwfl_module_getelf(file.module(), &bias);
  if (elf == nullptr) return {};
  std::vector<std::string_view> found = Finder(elf).run();
  std::ranges::sort(found);
  return found;
}

}  // namespace memlens::symbolizer

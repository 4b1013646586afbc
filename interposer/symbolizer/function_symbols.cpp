#include "interposer/symbolizer/function_symbols.h"

#include <algorithm>
#include <cstring>

namespace memlens::symbolizer {
namespace {

struct Symbol {
  const char* name = nullptr;
  uint64_t start = 0;
  uint64_t end = 0;  // equals start: no size was given
  uint32_t section = 0;
  int rank = 0;  // among symbols of one address, the lowest is shown

  bool covers(uint64_t address) const { return start <= address && address < end; }
};

// Of several names of one function, the one its users know: `read`, not `__read` or `__libc_read`.
int name_rank(const char* name, unsigned char binding) {
  int rank = 0;
  // Reserved prefixes, except the mangling prefixes _Z and _R.
  if (name[0] == '_' && name[1] != 'Z' && name[1] != 'R') rank += name[1] == '_' ? 4 : 2;
  if (binding == STB_LOCAL) rank += 1;
  return rank;
}

bool is_better_name(const Symbol& a, const Symbol& b) {
  if (a.rank != b.rank) return a.rank < b.rank;
  const size_t a_length = std::strlen(a.name);
  const size_t b_length = std::strlen(b.name);
  if (a_length != b_length) return a_length < b_length;
  return std::strcmp(a.name, b.name) < 0;
}

bool starts_nearer(const Symbol& a, const Symbol& b) {
  if (b.name == nullptr || a.start != b.start) return b.name == nullptr || a.start > b.start;
  const bool a_sized = a.end > a.start;
  const bool b_sized = b.end > b.start;
  if (a_sized != b_sized) return a_sized;
  return is_better_name(a, b);
}

bool reaches_further(const Symbol& a, const Symbol& b) {
  return b.name == nullptr || a.end > b.end || (a.end == b.end && is_better_name(a, b));
}

// Fills `symbol` from entry `index`; false when it does not name code.
bool read_symbol(Dwfl_Module* module, int index, Symbol& symbol) {
  GElf_Sym entry;
  GElf_Addr address;
  GElf_Word section = 0;
  const char* name =
      dwfl_module_getsym_info(module, index, &entry, &address, &section, nullptr, nullptr);
  if (name == nullptr || name[0] == '\0' || entry.st_shndx == SHN_UNDEF) return false;
  if (section == SHN_ABS || section == SHN_COMMON) return false;
  const unsigned char type = GELF_ST_TYPE(entry.st_info);
  if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) return false;
  symbol.name = name;
  symbol.start = address;
  symbol.end = address + std::min<uint64_t>(entry.st_size, UINT64_MAX - address);
  symbol.section = section;
  symbol.rank = name_rank(name, GELF_ST_BIND(entry.st_info)) + (type == STT_NOTYPE ? 8 : 0);
  return true;
}

}  // namespace

// One pass over the table, whatever its size: each symbol goes to the first address at or above its
// start, and a sweep over the addresses carries on the nearest symbol and the one that reaches
// furthest (which covers when a nested symbol has ended).
std::vector<const char*> covering_symbols(Dwfl_Module* module,
                                          std::span<const uint64_t> addresses) {
  std::vector<const char*> names(addresses.size(), nullptr);
  const int count = dwfl_module_getsymtab(module);
  std::vector<Symbol> nearest(addresses.size());
  std::vector<Symbol> furthest(addresses.size());
  for (int index = 1; index < count; ++index) {
    Symbol symbol;
    if (!read_symbol(module, index, symbol)) continue;
    const auto first = std::lower_bound(addresses.begin(), addresses.end(), symbol.start);
    if (first == addresses.end()) continue;
    const size_t slot = static_cast<size_t>(first - addresses.begin());
    if (starts_nearer(symbol, nearest[slot])) nearest[slot] = symbol;
    if (reaches_further(symbol, furthest[slot])) furthest[slot] = symbol;
  }

  Symbol near;
  Symbol far;
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (nearest[i].name != nullptr && starts_nearer(nearest[i], near)) near = nearest[i];
    if (furthest[i].name != nullptr && reaches_further(furthest[i], far)) far = furthest[i];
    if (near.name == nullptr) continue;
    if (near.covers(addresses[i])) {
      names[i] = near.name;
    } else if (far.covers(addresses[i])) {
      names[i] = far.name;
    } else if (near.start == near.end) {
      // No size: assembly. It ends with its section at the latest.
      Dwarf_Addr bias = 0;
      Elf* elf = dwfl_module_getelf(module, &bias);
      Elf_Scn* section = elf == nullptr ? nullptr : elf_getscn(elf, near.section);
      GElf_Shdr header;
      if (section != nullptr && gelf_getshdr(section, &header) != nullptr &&
          (header.sh_flags & SHF_EXECINSTR) != 0 &&
          addresses[i] - bias - header.sh_addr < header.sh_size) {
        names[i] = near.name;
      }
    }
  }
  return names;
}

}  // namespace memlens::symbolizer

#include "interposer/symbolizer/direct_calls.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "interposer/symbolizer/module_file.h"

namespace memlens::symbolizer {
namespace {

// "Pool::allocate" is how a method is registered, of which a symbol has the parts with their
// lengths.
std::string part_of_symbol(std::string_view method) {
  std::string part;
  while (!method.empty()) {
    const std::string_view name = method.substr(0, method.find("::"));
    part += std::to_string(name.size()).append(name);
    method.remove_prefix(std::min(method.size(), name.size() + 2));
  }
  return part + "E";
}

class WantedSymbol {
 public:
  explicit WantedSymbol(const std::string& function)
      : is_method_(function.find("::") != std::string::npos),
        text_(is_method_ ? part_of_symbol(function) : function) {}
  bool is(std::string_view symbol) const {
    return is_method_ ? symbol.find(text_) != std::string_view::npos : symbol == text_;
  }

 private:
  bool is_method_;
  std::string text_;
};

struct Function {
  uint64_t address;
  uint64_t bytes;
};

std::vector<Function> find_functions(Elf* elf, const std::vector<std::string>& functions) {
  const std::vector<WantedSymbol> wanted(functions.begin(), functions.end());
  std::vector<Function> found;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_DYNSYM) continue;
    Elf_Data* symbols = elf_getdata(section, nullptr);
    if (symbols == nullptr || header.sh_entsize == 0) continue;
    const auto count = static_cast<int>(header.sh_size / header.sh_entsize);
    for (int i = 1; i < count; ++i) {
      GElf_Sym symbol;
      if (gelf_getsym(symbols, i, &symbol) == nullptr) break;
      const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
      if (symbol.st_shndx == SHN_UNDEF || name == nullptr) continue;
      if (std::ranges::any_of(wanted, [name](const WantedSymbol& each) { return each.is(name); }))
        found.push_back({symbol.st_value, symbol.st_size});
    }
  }
  return found;
}

// x86-64: call or jmp with a distance of 32 bits, counted from the next instruction. Not those
// within the functions themselves: whoever called the outer one has been seen, or is counted.
size_t calls_in(const Elf_Data& code, uint64_t address, const std::vector<Function>& functions) {
  constexpr uint8_t kCall = 0xe8, kJump = 0xe9;
  constexpr size_t kInstructionBytes = 5;
  const auto [lowest, highest] = std::ranges::minmax(functions, {}, &Function::address);
  const auto* bytes = static_cast<const uint8_t*>(code.d_buf);
  size_t calls = 0;
  for (size_t i = 0; i + kInstructionBytes <= code.d_size; ++i) {
    if (bytes[i] != kCall && bytes[i] != kJump) continue;
    int32_t distance;
    std::memcpy(&distance, bytes + i + 1, sizeof distance);
    const uint64_t target =
        address + i + kInstructionBytes + static_cast<uint64_t>(int64_t{distance});
    if (target < lowest.address || target > highest.address) continue;
    if (std::ranges::find(functions, target, &Function::address) == functions.end()) continue;
    const bool within = std::ranges::any_of(functions, [at = address + i](const Function& each) {
      return at - each.address < each.bytes;
    });
    if (!within) ++calls;
  }
  return calls;
}

bool is_program(Elf* elf, const GElf_Ehdr& file_header) {
  for (int i = 0; i < file_header.e_phnum; ++i) {
    GElf_Phdr segment;
    if (gelf_getphdr(elf, i, &segment) != nullptr && segment.p_type == PT_INTERP) return true;
  }
  return false;
}

}  // namespace

size_t count_direct_calls(const ModuleImage& module, const std::vector<std::string>& functions,
                          const SymbolizerOptions& options) {
  const ModuleFile file(module, options);
  GElf_Addr bias = 0;
  Elf* elf = file.module() == nullptr ? nullptr : dwfl_module_getelf(file.module(), &bias);
  GElf_Ehdr file_header;
  if (elf == nullptr || gelf_getehdr(elf, &file_header) == nullptr) return 0;
  if (file_header.e_machine != EM_X86_64) return 0;
  // What a program brings itself is recorded by the allocator's own hooks, whoever calls it.
  if (is_program(elf, file_header)) return 0;
  const std::vector<Function> targets = find_functions(elf, functions);
  if (targets.empty()) return 0;
  size_t calls = 0;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_PROGBITS) continue;
    if ((header.sh_flags & SHF_EXECINSTR) == 0) continue;
    const Elf_Data* code = elf_rawdata(section, nullptr);
    if (code != nullptr && code->d_buf != nullptr)
      calls += calls_in(*code, header.sh_addr, targets);
  }
  return calls;
}

}  // namespace memlens::symbolizer

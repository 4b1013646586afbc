#include "interposer/symbolizer/plt_stubs.h"

#include <cstring>
#include <string_view>

namespace memlens::symbolizer {
namespace {

template <typename Number>
Number number_at(const uint8_t* bytes) {
  Number value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

constexpr uint64_t kStubBytes = 16;

}  // namespace

const char* PltStubs::name_at(uint64_t address) {
  if (!is_read_) read();
  for (const Section& section : sections_) {
    const uint64_t at = address - bias_;
    if (at < section.start || at >= section.end) continue;
    return name_in(section, (at - section.start) / section.stub_bytes * section.stub_bytes);
  }
  return nullptr;
}

void PltStubs::read() {
  is_read_ = true;
  Elf* elf = dwfl_module_getelf(module_, &bias_);
  GElf_Ehdr file;
  size_t names = 0;
  if (elf == nullptr || gelf_getehdr(elf, &file) == nullptr || file.e_machine != EM_X86_64 ||
      elf_getshdrstrndx(elf, &names) != 0) {
    return;
  }
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    const char* text = elf_strptr(elf, names, header.sh_name);
    const std::string_view name = text == nullptr ? "" : text;
    if (name == ".plt" || name == ".plt.sec" || name == ".plt.got") {
      const Elf_Data* data = elf_rawdata(section, nullptr);
      if (data == nullptr || data->d_buf == nullptr || data->d_size < header.sh_size) continue;
      const uint64_t stub_bytes = header.sh_entsize == 8 ? 8 : kStubBytes;
      sections_.push_back({header.sh_addr, header.sh_addr + header.sh_size, stub_bytes,
                           static_cast<const uint8_t*>(data->d_buf)});
    } else if (header.sh_type == SHT_RELA) {
      add_relocations(elf, section, header, name == ".rela.plt");
    }
  }
}

void PltStubs::add_relocations(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, bool of_stubs) {
  Elf_Data* relocations = elf_getdata(section, nullptr);
  Elf_Scn* symbol_section = elf_getscn(elf, header.sh_link);
  GElf_Shdr symbol_header;
  if (relocations == nullptr || header.sh_entsize == 0 || symbol_section == nullptr ||
      gelf_getshdr(symbol_section, &symbol_header) == nullptr) {
    return;
  }
  Elf_Data* symbols = elf_getdata(symbol_section, nullptr);
  const auto count = static_cast<int>(header.sh_size / header.sh_entsize);
  for (int i = 0; i < count; ++i) {
    GElf_Rela relocation;
    if (gelf_getrela(relocations, i, &relocation) == nullptr) return;
    if (of_stubs) slot_of_index_.push_back(relocation.r_offset);
    GElf_Sym symbol;
    const auto number = static_cast<int>(GELF_R_SYM(relocation.r_info));
    if (number == 0 || symbols == nullptr || gelf_getsym(symbols, number, &symbol) == nullptr) {
      continue;
    }
    const char* name = elf_strptr(elf, symbol_header.sh_link, symbol.st_name);
    if (name == nullptr || name[0] == '\0') continue;
    name_of_slot_.try_emplace(relocation.r_offset, std::string(name) + "@plt");
  }
}

const char* PltStubs::name_in(const Section& section, uint64_t stub) const {
  const uint8_t* bytes = section.bytes + stub;
  const uint64_t left = section.end - section.start - stub;
  const uint64_t size = left < section.stub_bytes ? left : section.stub_bytes;
  uint64_t slot = 0;
  for (uint64_t i = 0; i + 6 <= size && slot == 0; ++i) {
    if (bytes[i] == 0xff && bytes[i + 1] == 0x25) {  // jmp *offset(%rip)
      const auto offset = number_at<int32_t>(bytes + i + 2);
      slot = section.start + stub + i + 6 + static_cast<uint64_t>(static_cast<int64_t>(offset));
    } else if (bytes[i] == 0x68) {  // push the relocation's index: of a stub that .plt.sec jumps to
      const auto index = number_at<uint32_t>(bytes + i + 1);
      if (index < slot_of_index_.size()) slot = slot_of_index_[index];
    }
  }
  const auto name = name_of_slot_.find(slot);
  return name == name_of_slot_.end() ? nullptr : name->second.c_str();
}

}  // namespace memlens::symbolizer

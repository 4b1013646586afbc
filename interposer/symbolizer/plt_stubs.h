// Names of the stubs in a procedure linkage table: "malloc@plt".
//
// A stub has no symbol of its own. It jumps through a slot of the global offset table, and the
// relocation that fills the slot names the function. In a stack it stands where a signal came just
// then, or where a library was bound lazily.
#pragma once

#include <elfutils/libdwfl.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace memlens::symbolizer {

class PltStubs {
 public:
  // Reads nothing yet. The module must outlive this.
  explicit PltStubs(Dwfl_Module* module) : module_(module) {}

  // Null: the address, in the module's terms, is in no stub, or its function has no name. The text
  // lives as long as this.
  const char* name_at(uint64_t address);

 private:
  struct Section {
    uint64_t start;
    uint64_t end;
    uint64_t stub_bytes;
    const uint8_t* bytes;
  };

  void read();
  void add_relocations(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, bool of_stubs);
  const char* name_in(const Section& section, uint64_t stub) const;

  Dwfl_Module* module_;
  bool is_read_ = false;
  Dwarf_Addr bias_ = 0;
  std::vector<Section> sections_;
  std::unordered_map<uint64_t, std::string> name_of_slot_;
  std::vector<uint64_t> slot_of_index_;  // of .rela.plt
};

}  // namespace memlens::symbolizer

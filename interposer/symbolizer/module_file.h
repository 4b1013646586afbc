// A module's file, opened with libdwfl once it is known to be the file that was mapped.
#pragma once

#include <elfutils/libdwfl.h>

#include <memory>
#include <string>

#include "interposer/symbolizer/symbolizer.h"

namespace memlens::symbolizer {

// One thread at a time; open the same file again for another thread.
class ModuleFile {
 public:
  ModuleFile(const ModuleImage& module, const SymbolizerOptions& options);
  ~ModuleFile();
  ModuleFile(const ModuleFile&) = delete;
  ModuleFile& operator=(const ModuleFile&) = delete;

  // Null unless the file was found and is the one recorded; `failure()` tells which.
  Dwfl_Module* module() const { return module_; }
  ModuleStatus failure() const { return failure_; }

  // Addresses in the file's own terms; `bias` is added to the DWARF's to get those. Null: none.
  Dwarf* debug_information(Dwarf_Addr& bias) const;

 private:
  static int find_elf(Dwfl_Module*, void**, const char*, Dwarf_Addr, char**, Elf**);
  static int find_debug(Dwfl_Module*, void**, const char*, Dwarf_Addr, const char*, const char*,
                        GElf_Word, char**);

  bool is_recorded_file(const ModuleImage& recorded, int descriptor) const;

  const SymbolizerOptions& options_;
  Dwfl_Callbacks callbacks_{};
  Dwfl* session_ = nullptr;
  mutable int own_copy_ = -1;  // of the file itself, where libdw cannot read its debug information
  Dwfl_Module* module_ = nullptr;
  ModuleStatus failure_ = ModuleStatus::kMissing;
};

}  // namespace memlens::symbolizer

#include "interposer/symbolizer/module_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include "interposer/symbolizer/debug_files.h"
#include "interposer/symbolizer/inflated_file.h"

namespace memlens::symbolizer {
namespace {

uint64_t nanoseconds(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(time.tv_nsec);
}

// A debug file for libdwfl to read, without its compression where that pays.
int ready_to_read(int debug_file, const SymbolizerOptions& options) {
  if (debug_file < 0) return debug_file;
  int copy = options.inflated == nullptr ? -1 : options.inflated->find(debug_file);
  if (copy < 0) copy = inflated_copy(debug_file);
  if (copy < 0) return debug_file;
  close(debug_file);
  return copy;
}

int copy_without_zstd(int descriptor) {
  Elf* elf = elf_begin(descriptor, ELF_C_READ_MMAP, nullptr);
  if (elf == nullptr) return -1;
  const bool wanted = has_zstd_sections(elf);
  elf_end(elf);
  return wanted ? inflated_copy(descriptor) : -1;
}

void initialize_libelf() {
  static std::once_flag once;
  std::call_once(once, [] { elf_version(EV_CURRENT); });
}

}  // namespace

ModuleFile::ModuleFile(const ModuleImage& module, const SymbolizerOptions& options)
    : options_(options) {
  initialize_libelf();
  const int descriptor = open(module.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  if (!is_recorded_file(module, descriptor)) {
    close(descriptor);
    failure_ = ModuleStatus::kReplaced;
    return;
  }
  own_copy_ = copy_without_zstd(descriptor);
  callbacks_.find_elf = &ModuleFile::find_elf;
  callbacks_.find_debuginfo = &ModuleFile::find_debug;
  // Asked for of relocatable files alone: libdwfl calls it without looking whether it is there.
  callbacks_.section_address = dwfl_offline_section_address;
  session_ = dwfl_begin(&callbacks_);
  if (session_ == nullptr) {
    close(descriptor);
    return;
  }
  // Base 0 and the file's own addresses: what we are asked for has the load bias taken off.
  module_ =
      dwfl_report_elf(session_, module.path.c_str(), module.path.c_str(), descriptor, 0, true);
  if (module_ == nullptr) {  // otherwise the session closes the descriptor
    close(descriptor);
    failure_ = ModuleStatus::kNoSymbols;
    return;
  }
  dwfl_report_end(session_, nullptr, nullptr);
  void** self = nullptr;
  dwfl_module_info(module_, &self, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
  *self = this;
}

ModuleFile::~ModuleFile() {
  if (session_ != nullptr) dwfl_end(session_);
  if (own_copy_ >= 0) close(own_copy_);
}

bool ModuleFile::is_recorded_file(const ModuleImage& recorded, int descriptor) const {
  struct stat status;
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return false;
  Elf* elf = elf_begin(descriptor, ELF_C_READ_MMAP, nullptr);
  if (elf == nullptr) return false;
  const bool is_elf = elf_kind(elf) == ELF_K_ELF;
  const std::string build_id = is_elf ? build_id_of(elf) : std::string();
  elf_end(elf);
  if (!is_elf || build_id != recorded.build_id) return false;
  if (!build_id.empty()) return true;
  // No build id to compare: any change of the inode since it was mapped makes it another file.
  return recorded.mapped_unix_ns != 0 && nanoseconds(status.st_ctim) <= recorded.mapped_unix_ns;
}

Dwarf* ModuleFile::debug_information(Dwarf_Addr& bias) const {
  return module_ == nullptr ? nullptr : dwfl_module_getdwarf(module_, &bias);
}

int ModuleFile::find_elf(Dwfl_Module*, void**, const char*, Dwarf_Addr, char**, Elf**) {
  return -1;  // the only file there is was reported already
}

// libdwfl also comes here for the alternate file that dwz makes, with that file's build id in place
// of the module's; both are the same question.
int ModuleFile::find_debug(Dwfl_Module* module, void** user_data, const char* module_name,
                           Dwarf_Addr base, const char* file_name, const char* debuglink_file,
                           GElf_Word debuglink_crc, char** debug_file_name) {
  const auto* self = static_cast<const ModuleFile*>(*user_data);
  if (self == nullptr) return -1;
  // Found to have no debug information that libdw can read: it has, here.
  if (self->own_copy_ >= 0) {
    *debug_file_name = strdup(file_name != nullptr ? file_name : module_name);
    return std::exchange(self->own_copy_, -1);
  }
  DebugFileQuery query;
  query.object_path = file_name != nullptr ? file_name : module_name;
  const unsigned char* bits = nullptr;
  GElf_Addr note_address;
  const int bits_length = dwfl_module_build_id(module, &bits, &note_address);
  if (bits_length > 0) {
    query.build_id.assign(reinterpret_cast<const char*>(bits), static_cast<size_t>(bits_length));
  }
  if (debuglink_file != nullptr) query.debuglink = debuglink_file;
  query.debuglink_crc = debuglink_crc;
  const DebugFile found = find_debug_file(query, self->options_.debug_directories);
  if (found.descriptor >= 0) {
    *debug_file_name = strdup(found.path.c_str());
    return ready_to_read(found.descriptor, self->options_);
  }
  // The library's own search ends at the servers of DEBUGINFOD_URLS: only when asked for.
  if (!self->options_.debuginfod) return -1;
  return ready_to_read(dwfl_standard_find_debuginfo(module, user_data, module_name, base, file_name,
                                                    debuglink_file, debuglink_crc, debug_file_name),
                       self->options_);
}

}  // namespace memlens::symbolizer

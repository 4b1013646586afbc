// What an instruction's address is: function, file and line, with the functions inlined there.
//
// Everything is read from the module's own file and its separate debug files, and only from files
// that are the ones the program had mapped: a build id that differs, or a file changed since, gives
// an address in the module and no name. A wrong name is worse than none.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace memlens::symbolizer {

class InflatedFiles;

// A file that was mapped into a process.
struct ModuleImage {
  std::string path;  // absolute; otherwise it is a label for memory that is no file ("[vdso]")
  uint64_t load_bias = 0;  // address in the process less address in the file's own terms
  uint64_t start = 0;
  uint64_t end = 0;
  std::string build_id;         // raw bytes; empty: the file has none
  uint64_t mapped_unix_ns = 0;  // 0: unknown. Without a build id, a file changed later is refused
};

struct SymbolizerOptions {
  // Where separate debug files are looked for, by build id and by debuglink.
  std::vector<std::string> debug_directories = {"/usr/lib/debug"};
  // Ask the servers in DEBUGINFOD_URLS for debug files that are not on this machine.
  bool debuginfod = false;
  // After this, addresses get names from symbol tables only; those that are slow to read stay
  // unknown. Never cuts one file's symbol table short.
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  // Compressed debug files that were made ready before; null: none.
  InflatedFiles* inflated = nullptr;
  // Off: names as the object file spells them. A name can be made to take the demangler for ever.
  bool demangle = true;
};

enum class ModuleStatus : uint8_t {
  kLines,      // debug information was found
  kNames,      // symbol table only
  kNoSymbols,  // neither
  kNotAFile,   // [vdso] and the like
  kMissing,    // the file is gone or cannot be read
  kReplaced,   // the file is another one now
  kOutOfTime,  // debug information was there, the deadline came first
};

// String numbers refer to ModuleSymbols::strings.
struct ResolvedFrame {
  uint32_t function = 0;      // demangled and shortened; never 0
  uint32_t linkage_name = 0;  // as the object file spells it; 0: equals function, or none
  uint32_t file = 0;          // 0: unknown
  uint32_t line = 0;          // 0: unknown
};

// The frames of the addresses asked for. Address i has frames [first_frame[i], first_frame[i + 1]),
// innermost first, at least one.
struct ModuleSymbols {
  ModuleStatus status = ModuleStatus::kMissing;
  std::vector<std::string> strings = {std::string()};
  std::vector<uint32_t> first_frame;
  std::vector<ResolvedFrame> frames;

  std::span<const ResolvedFrame> frames_of(size_t address_index) const {
    return std::span(frames).subspan(first_frame[address_index],
                                     first_frame[address_index + 1] - first_frame[address_index]);
  }
};

// `addresses` are the file's own (the process's less the load bias), ascending, each of an
// instruction: a return address less one. Thread-safe; throws nothing but std::bad_alloc.
ModuleSymbols resolve(const ModuleImage& module, std::span<const uint64_t> addresses,
                      const SymbolizerOptions& options);

// "libfoo.so+0x1234": what an address is called when nothing is known of it.
std::string module_offset_name(std::string_view module_path, uint64_t address);

// Why a module has no names or no lines, in a few words for the user; empty for kLines.
std::string_view describe(ModuleStatus status);

}  // namespace memlens::symbolizer

// The fuzz target of what reads other people's debug information and names: any bytes are read or
// given up on, with no crash, no hang and no memory without bound. The first byte chooses what they
// are:
//
//   L  a .debug_line section       P  a line table of Python's, the next byte its format
//   S  a payload of symbols        N  a mangled or demangled name
//   E  a whole object file, with its DWARF (what elfutils does with it is elfutils' affair)
//
// With clang: build-fuzz/bin/memlens_symbols_fuzz -max_len=8192 NEW_CORPUS tests/fuzz/symbol_cases
#include <elf.h>
#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "interposer/symbolizer/bounded_demangle.h"
#include "interposer/symbolizer/function_name.h"
#include "interposer/symbolizer/line_program.h"
#include "interposer/symbolizer/rust_names.h"
#include "interposer/symbolizer/shorten_name.h"
#include "interposer/symbolizer/symbolizer.h"
#include "reader/capture/line_table.h"
#include "reader/capture/symbols_payload.h"
#include "tests/support/temporary_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes);

namespace {

using namespace memlens::reader;      // NOLINT: one short file about these namespaces
using namespace memlens::symbolizer;  // NOLINT

void read_line_program(std::string_view bytes) {
  LineSections sections;
  sections.lines = bytes;
  sections.line_strings = bytes;
  sections.strings = bytes;
  const std::array<uint64_t, 5> addresses{0, 0x10, 0x1000, 0x401000, UINT64_MAX};
  for (uint64_t offset = 0; offset < bytes.size() && offset < 64; offset += 16)
    LineProgram(sections, offset, "/src").rows_of(addresses);
}

void read_python_lines(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto format = static_cast<memlens::format::LineTableFormat>(bytes[0]);
  for (const uint32_t instruction : {0u, 1u, 17u, 4001u, UINT32_MAX})
    line_of_instruction(format, bytes.substr(1), 10, instruction);
}

void read_object_file(std::string_view bytes) {
  static const memlens::testing::TemporaryFile file("");
  file.overwrite(std::string(bytes));
  ModuleImage module;
  module.path = file.path();
  module.mapped_unix_ns = UINT64_MAX;
  const std::array<uint64_t, 4> addresses{0, 4, 0x20, 0x1139};
  resolve(module, addresses, SymbolizerOptions());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  if (size_bytes == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size_bytes - 1);
  const std::string name(bytes.substr(0, 4096));
  DecodedSymbols symbols;
  size_t damage_offset = 0;
  switch (data[0]) {
    case 'L':
      read_line_program(bytes);
      break;
    case 'P':
      read_python_lines(bytes);
      break;
    case 'S':
      decode_symbols(bytes, symbols, damage_offset);
      break;
    case 'N':
      demangle_rust(name);
      shorten_cpp_name(name);
      shorten_cpp_name(bounded_demangle(std::string(name.c_str())));
      break;
    case 'E':
      read_object_file(bytes);
      break;
    default:
      break;
  }
  return 0;
}

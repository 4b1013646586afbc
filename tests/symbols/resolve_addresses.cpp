// Resolves a file's addresses, one hexadecimal number a line on stdin, and prints them as
// `addr2line -a -i -f` does, for tests/symbols/compare_with_addr2line.py. With --names, functions
// are printed as reports show them; without, as the object file spells them.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "interposer/symbolizer/debug_files.h"
#include "interposer/symbolizer/symbolizer.h"

using namespace memlens::symbolizer;

namespace {

std::string build_id_of_file(const char* path) {
  elf_version(EV_CURRENT);
  const int descriptor = open(path, O_RDONLY);
  Elf* elf = elf_begin(descriptor, ELF_C_READ_MMAP, nullptr);
  std::string id = elf == nullptr ? std::string() : build_id_of(elf);
  elf_end(elf);
  close(descriptor);
  return id;
}

void print_symbols(const std::vector<uint64_t>& addresses, const ModuleSymbols& symbols,
                   bool names) {
  for (size_t i = 0; i < addresses.size(); ++i) {
    std::printf("0x%016llx\n", static_cast<unsigned long long>(addresses[i]));
    for (const ResolvedFrame& frame : symbols.frames_of(i)) {
      const bool linkage = !names && frame.linkage_name != 0;
      const std::string& function = symbols.strings[linkage ? frame.linkage_name : frame.function];
      const std::string& file = symbols.strings[frame.file];
      std::printf("%s\n%s:%u\n", function.c_str(), file.empty() ? "??" : file.c_str(), frame.line);
    }
  }
}

// Of this program; getrusage's also counts what its parent had before exec.
long peak_memory_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bool names = argc > 1 && std::strcmp(argv[1], "--names") == 0;
  if (argc != (names ? 3 : 2)) {
    std::fprintf(stderr, "usage: resolve_addresses [--names] FILE < addresses\n");
    return 2;
  }
  ModuleImage module;
  module.path = std::filesystem::absolute(argv[argc - 1]);
  module.build_id = build_id_of_file(module.path.c_str());
  module.mapped_unix_ns = UINT64_MAX;

  std::vector<uint64_t> addresses;
  for (std::string line; std::getline(std::cin, line);) {
    addresses.push_back(std::stoull(line, nullptr, 16));
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());

  const auto begin = std::chrono::steady_clock::now();
  const ModuleSymbols symbols = resolve(module, addresses, SymbolizerOptions());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  print_symbols(addresses, symbols, names);

  const std::string_view why = describe(symbols.status);
  std::fprintf(stderr, "%zu addresses, %.3f s, peak %ld kB; %.*s\n", addresses.size(), took.count(),
               peak_memory_kb(), static_cast<int>(why.size()), why.data());
}

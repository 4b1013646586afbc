#include "interposer/symbolizer/inflated_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <gelf.h>
#include <unistd.h>
#include <zstd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "interposer/symbolizer/symbolizer.h"
#include "tests/unit/symbolizer/sample_program.h"

using namespace memlens::symbolizer;
using memlens::symbolizer::testing::SampleProgram;

namespace {

// Name to bytes, of those that have any.
std::map<std::string, std::string> sections_of(int descriptor) {
  std::map<std::string, std::string> sections;
  Elf* elf = elf_begin(descriptor, ELF_C_READ_MMAP, nullptr);
  size_t names = 0;
  REQUIRE(elf_getshdrstrndx(elf, &names) == 0);
  for (Elf_Scn* at = elf_nextscn(elf, nullptr); at != nullptr; at = elf_nextscn(elf, at)) {
    GElf_Shdr header;
    REQUIRE(gelf_getshdr(at, &header) != nullptr);
    const Elf_Data* data = header.sh_type == SHT_NOBITS ? nullptr : elf_rawdata(at, nullptr);
    if (data == nullptr || data->d_buf == nullptr) continue;
    sections[elf_strptr(elf, names, header.sh_name)] =
        std::string(static_cast<const char*>(data->d_buf), data->d_size);
  }
  elf_end(elf);
  return sections;
}

int open_file(const SampleProgram& program, const char* name) {
  elf_version(EV_CURRENT);
  return open((program.directory() / name).c_str(), O_RDONLY | O_CLOEXEC);
}

void make_debug_files(const SampleProgram& program) {
  program.run(
      "objcopy --only-keep-debug libsample.so plain.debug && "
      "objcopy --compress-debug-sections=zlib plain.debug sample.debug");
}

ModuleSymbols resolve_stripped(const SampleProgram& program) {
  program.run("strip libsample.so && objcopy --add-gnu-debuglink=sample.debug libsample.so");
  ModuleImage module;
  module.path = program.path();
  module.build_id = program.build_id();
  const uint64_t addresses[] = {program.address_of("plain")};
  return resolve(module, addresses, SymbolizerOptions());
}

// As newer toolchains make it, which Debian 12's objcopy does not: each section of debug
// information compressed with zstd, at the end of the file.
void compress_with_zstd(const std::filesystem::path& path) {
  constexpr Elf64_Word kZstd = 2;  // ELFCOMPRESS_ZSTD
  std::ifstream in(path, std::ios::binary);
  std::string file(std::istreambuf_iterator<char>(in), {});
  Elf64_Ehdr header;
  std::memcpy(&header, file.data(), sizeof header);
  const auto section_at = [&](unsigned index) {
    Elf64_Shdr section;
    std::memcpy(&section, file.data() + header.e_shoff + index * sizeof section, sizeof section);
    return section;
  };
  const Elf64_Off names = section_at(header.e_shstrndx).sh_offset;
  unsigned compressed = 0;
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section = section_at(i);
    if (std::string(file.data() + names + section.sh_name).rfind(".debug_", 0) != 0) continue;
    Elf64_Chdr compression{};
    compression.ch_type = kZstd;
    compression.ch_size = section.sh_size;
    compression.ch_addralign = section.sh_addralign;
    std::string stored(ZSTD_compressBound(section.sh_size), '\0');
    stored.resize(ZSTD_compress(stored.data(), stored.size(), file.data() + section.sh_offset,
                                section.sh_size, 3));
    file.resize((file.size() + 15) / 16 * 16);
    section.sh_offset = file.size();
    section.sh_size = sizeof compression + stored.size();
    section.sh_flags |= SHF_COMPRESSED;
    file.append(reinterpret_cast<const char*>(&compression), sizeof compression);
    file += stored;
    std::memcpy(file.data() + header.e_shoff + i * sizeof section, &section, sizeof section);
    ++compressed;
  }
  REQUIRE(compressed >= 4);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << file;
}

}  // namespace

TEST_CASE("debug information compressed with zstd is read from a file of its own") {
  for (const char* flags : {"-g -gdwarf-4", "-g -gdwarf-5"}) {
    const SampleProgram program(flags);
    program.run("objcopy --only-keep-debug libsample.so sample.debug");
    compress_with_zstd(program.directory() / "sample.debug");
    const ModuleSymbols symbols = resolve_stripped(program);
    REQUIRE(symbols.status == ModuleStatus::kLines);
    CHECK(symbols.strings[symbols.frames[0].function] == "plain_function");
    CHECK(symbols.frames[0].line == SampleProgram::line_of("plain"));
  }
}

TEST_CASE("debug information compressed with zstd is read from the program's own file") {
  for (const char* flags : {"-g -gdwarf-4", "-g -gdwarf-5"}) {
    const SampleProgram program(flags);
    compress_with_zstd(program.path());
    ModuleImage module;
    module.path = program.path();
    module.build_id = program.build_id();
    const uint64_t addresses[] = {program.address_of("plain"), program.address_of("inlined")};
    const ModuleSymbols symbols = resolve(module, addresses, SymbolizerOptions());
    REQUIRE(symbols.status == ModuleStatus::kLines);
    CHECK(symbols.strings[symbols.frames[0].function] == "plain_function");
    CHECK(symbols.frames[0].line == SampleProgram::line_of("plain"));
  }
}

TEST_CASE("damaged zstd costs lines at most") {
  const SampleProgram program("-g");
  compress_with_zstd(program.path());
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(program.path()));
  {
    std::fstream file(program.path(), std::ios::in | std::ios::out | std::ios::binary);
    for (std::streamoff at = size - 2000; at < size; at += 16) file.seekp(at + 8).put('\x5a');
  }
  ModuleImage module;
  module.path = program.path();
  module.build_id = program.build_id();
  const uint64_t addresses[] = {program.address_of("plain")};
  CHECK(resolve(module, addresses, SymbolizerOptions()).frames.size() == 1);
}

TEST_CASE("an inflated copy has what was compressed, and nothing that is not read") {
  const SampleProgram program("-g");
  make_debug_files(program);
  const int plain = open_file(program, "plain.debug");
  const int compressed = open_file(program, "sample.debug");
  CHECK(inflated_copy(plain) == -1);
  const int copy = inflated_copy(compressed);
  REQUIRE(copy >= 0);
  const auto expected = sections_of(plain);
  REQUIRE(sections_of(compressed).at(".debug_info") != expected.at(".debug_info"));
  const auto copied = sections_of(copy);
  for (const char* name : {".debug_info", ".debug_abbrev", ".debug_line", ".debug_str",
                           ".debug_aranges", ".symtab", ".strtab", ".note.gnu.build-id"}) {
    CAPTURE(name);
    CHECK(copied.at(name) == expected.at(name));
  }
  CHECK(expected.contains(".debug_loclists"));
  CHECK_FALSE(copied.contains(".debug_loclists"));
  close(plain);
  close(compressed);
  close(copy);
}

TEST_CASE("compressed debug files are read") {
  const SampleProgram program("-g");
  make_debug_files(program);
  const ModuleSymbols symbols = resolve_stripped(program);
  REQUIRE(symbols.status == ModuleStatus::kLines);
  CHECK(symbols.strings[symbols.frames[0].function] == "plain_function");
  CHECK(symbols.frames[0].line == SampleProgram::line_of("plain"));
}

TEST_CASE("damaged compression costs names at most") {
  const SampleProgram program("-g");
  make_debug_files(program);
  const std::string path = (program.directory() / "sample.debug").string();
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(path));
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    // Between the ELF header and the section headers.
    for (std::streamoff at = 0x300; at < size * 2 / 3; at += 64) file.seekp(at).put('\x5a');
  }
  const int damaged = open_file(program, "sample.debug");
  CHECK(inflated_copy(damaged) == -1);
  close(damaged);
  CHECK(resolve_stripped(program).frames.size() == 1);
}

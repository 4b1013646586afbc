#include "interposer/symbolizer/line_program.h"

#include <doctest/doctest.h>
#include <dwarf.h>

#include <string>
#include <vector>

using namespace memlens::symbolizer;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

constexpr uint8_t kOpcodeBase = 13;
constexpr int kLineBase = -5;
constexpr int kLineRange = 14;

template <typename Number>
std::string bytes_of(Number value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string byte(int value) { return std::string(1, static_cast<char>(value)); }

std::string set_address(uint64_t address) {
  return byte(0) + byte(9) + byte(DW_LNE_set_address) + bytes_of(address);
}

// One row, further by both.
std::string step(int bytes, int lines) {
  return byte(kOpcodeBase + bytes * kLineRange + lines - kLineBase);
}

std::string end_sequence() { return byte(0) + byte(1) + byte(DW_LNE_end_sequence); }

// With an opcode that takes two numbers, unknown to all, for the last of the standard ones.
std::string unit(uint16_t version, const std::string& tables, const std::string& program) {
  std::string fixed = byte(1);         // minimum instruction
  if (version >= 4) fixed += byte(1);  // operations an instruction
  fixed += byte(1) + byte(kLineBase) + byte(kLineRange) + byte(kOpcodeBase);
  fixed += "\0\1\1\1\1\0\0\0\1\0\0\2"s;
  const std::string header = fixed + tables;
  std::string content = bytes_of(version);
  if (version >= 5) content += byte(8) + byte(0);
  content += bytes_of(static_cast<uint32_t>(header.size())) + header + program;
  return bytes_of(static_cast<uint32_t>(content.size())) + content;
}

const std::string kOldTables = "include\0\0a.c\0\0\0\0a.h\0\1\0\0/b.h\0\0\0\0\0"s;

std::vector<int64_t> lines_of(const std::string& section, const std::vector<uint64_t>& addresses) {
  LineSections sections;
  sections.lines = section;
  std::vector<int64_t> lines;
  for (const LineProgram::Row& row : LineProgram(sections, 0, "/src").rows_of(addresses)) {
    lines.push_back(row.is_known ? row.line : -1);
  }
  return lines;
}

}  // namespace

TEST_CASE("an address belongs to the last row at or below it, up to the sequence's end") {
  const std::string program = set_address(0x100) + step(0, 6) + step(4, 2) + step(4, -3) +
                              byte(DW_LNS_advance_pc) + byte(8) + end_sequence() +
                              set_address(0x1000) + step(0, 0) + step(1, 1) + end_sequence();
  const std::string section = unit(4, kOldTables, program);
  CHECK(lines_of(section, {0xff, 0x100, 0x103, 0x104, 0x10f, 0x110}) ==
        std::vector<int64_t>{-1, 7, 7, 9, 6, -1});
  CHECK(lines_of(section, {0x1000, 0x1001}) == std::vector<int64_t>{1, -1});
  CHECK(lines_of(section, {}).empty());
}

TEST_CASE("sequences may come in any order") {
  const std::string program = set_address(0x200) + step(0, 1) + byte(DW_LNS_advance_pc) + byte(16) +
                              end_sequence() + set_address(0x100) + step(0, 4) +
                              byte(DW_LNS_const_add_pc) + step(0, 2) + set_address(0x200) +
                              end_sequence();
  CHECK(lines_of(unit(3, kOldTables, program), {0x100, 0x111, 0x1ff, 0x200, 0x20f}) ==
        std::vector<int64_t>{5, 7, 7, 2, 2});
}

TEST_CASE("of several rows at one address the last counts") {
  const std::string program = set_address(0x100) + step(0, 1) + step(0, 1) + step(0, 1) +
                              byte(DW_LNS_advance_pc) + byte(16) + end_sequence();
  CHECK(lines_of(unit(4, kOldTables, program), {0x100, 0x10f}) == std::vector<int64_t>{4, 4});
}

TEST_CASE("a last sequence without an end covers nothing past its last row") {
  const std::string program = set_address(0x100) + step(0, 1) + step(8, 1);
  CHECK(lines_of(unit(4, kOldTables, program), {0x107, 0x108, 0x200}) ==
        std::vector<int64_t>{2, -1, -1});
}

TEST_CASE("a row that a sequence ends at as well counts") {
  const std::string program = set_address(0x100) + step(0, 1) + step(4, 3) + end_sequence() +
                              set_address(0x200) + step(0, 0) + end_sequence() +
                              set_address(0x300) + step(0, 8) + step(1, 1) + end_sequence();
  CHECK(lines_of(unit(4, kOldTables, program), {0x103, 0x104, 0x1ff, 0x200}) ==
        std::vector<int64_t>{2, 5, 5, 1});
}

TEST_CASE("opcodes that came after this was written are passed") {
  const std::string program = set_address(0x100) + byte(12) + "\x81\1\x7f"s + byte(0) + byte(3) +
                              byte(0x80) + "xy" + step(0, 1) + step(8, 1) + end_sequence();
  CHECK(lines_of(unit(4, kOldTables, program), {0x100}) == std::vector<int64_t>{2});
}

TEST_CASE("file tables of DWARF 2 to 4 begin at one") {
  LineSections sections;
  const std::string section = unit(2, kOldTables, "");
  sections.lines = section;
  const LineProgram program(sections, 0, "/src");
  REQUIRE(program.files().size() == 4);
  CHECK(program.files()[0].name.empty());
  CHECK(program.files()[1].name == "a.c");
  CHECK(program.files()[1].directory == "/src");
  CHECK(program.files()[2].directory == "include");
  CHECK(program.files()[3].name == "/b.h");
}

TEST_CASE("file tables of DWARF 5 say how they are written") {
  const std::string directories = byte(1) + byte(DW_LNCT_path) + byte(DW_FORM_line_strp) + byte(2) +
                                  bytes_of(uint32_t{0}) + bytes_of(uint32_t{5});
  const std::string files =
      byte(3) + byte(DW_LNCT_path) + byte(DW_FORM_string) + byte(DW_LNCT_directory_index) +
      byte(DW_FORM_udata) + byte(DW_LNCT_MD5) + byte(DW_FORM_data16) + byte(2) + "a.c\0"s +
      byte(0) + std::string(16, 'm') + "a.h\0"s + byte(1) + std::string(16, 'm');
  const std::string section = unit(5, directories + files, "");
  LineSections sections;
  sections.lines = section;
  sections.line_strings = "/src\0/usr/include\0"sv;
  const LineProgram program(sections, 0, "");
  REQUIRE(program.files().size() == 2);
  CHECK(program.files()[0].name == "a.c");
  CHECK(program.files()[0].directory == "/src");
  CHECK(program.files()[1].name == "a.h");
  CHECK(program.files()[1].directory == "/usr/include");
}

TEST_CASE("a table cut short or changed anywhere is read without harm") {
  const std::string program = set_address(0x100) + step(0, 1) + byte(DW_LNS_advance_line) +
                              byte(0x90) + byte(1) + step(4, 2) + end_sequence();
  const std::string whole = unit(4, kOldTables, program);
  for (size_t size = 0; size < whole.size(); ++size) {
    CHECK(lines_of(whole.substr(0, size), {0x100, 0x104}) == std::vector<int64_t>{-1, -1});
  }
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int value : {0, 1, 0x7f, 0x80, 0xff}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(value);
      CHECK(lines_of(changed, {0x100, 0x104}).size() == 2);
    }
  }
}

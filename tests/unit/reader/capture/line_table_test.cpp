#include "reader/capture/line_table.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

using memlens::format::LineTableFormat;
using memlens::reader::line_of_instruction;

namespace {

std::string bytes_of(const std::string& hex) {
  std::string bytes;
  if (hex == "-") return bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

}  // namespace

TEST_CASE("each instruction is on the line its own interpreter says") {
  size_t versions = 0;
  size_t instructions = 0;
  for (const auto& entry : std::filesystem::directory_iterator(MEMLENS_LINE_TABLES)) {
    if (entry.path().extension() != ".txt") continue;
    CAPTURE(entry.path().string());
    ++versions;
    std::ifstream file(entry.path());
    std::string head, pairs;
    size_t wrong = 0;
    while (std::getline(file, head) && std::getline(file, pairs)) {
      std::istringstream fields(head);
      int format = 0;
      uint32_t first_line = 0;
      std::string hex;
      REQUIRE(bool(fields >> format >> first_line >> hex));
      const std::string table = bytes_of(hex);
      std::istringstream list(pairs);
      uint32_t offset = 0;
      uint32_t line = 0;
      char colon = 0;
      while (list >> offset >> colon >> line) {
        ++instructions;
        if (line_of_instruction(static_cast<LineTableFormat>(format), table, first_line,
                                offset + 1) != line)
          ++wrong;
      }
      // A frame that has not begun is on the first line.
      if (line_of_instruction(static_cast<LineTableFormat>(format), table, first_line, 0) !=
          first_line)
        ++wrong;
    }
    CHECK(wrong == 0);
  }
  CHECK(versions == 6);
  CHECK(instructions > 3000);
}

TEST_CASE("a table that was cut or makes no sense still gives some line") {
  for (const auto format : {LineTableFormat::kNone, LineTableFormat::kLnotab,
                            LineTableFormat::kLinetable310, LineTableFormat::kLocations311}) {
    for (const std::string& table : {std::string(), std::string("\xf0", 1),
                                     std::string("\xf0\xff", 2), std::string(5, '\xff')}) {
      for (const uint32_t instruction : {0u, 1u, 1000u, 0xffffffffu})
        line_of_instruction(format, table, 7, instruction);
      CHECK(line_of_instruction(format, table, 7, 0) == 7);
    }
  }
  CHECK(line_of_instruction(LineTableFormat::kLnotab, "", 7, 100) == 7);
  CHECK(line_of_instruction(LineTableFormat::kLocations311, "", 7, 100) == 7);
}

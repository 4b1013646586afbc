// What the interposer's parts define, kept for a test to look at instead of going into a capture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "interposer/format/metadata_records.h"

namespace memlens::interposer::recorded {

struct Code {
  std::string filename;
  std::string name;
  uint32_t first_line;
  std::string line_table;
  format::LineTableFormat format;
  bool operator==(const Code&) const = default;
};

// A stack as "name+offset" of each frame, outermost first; a label by its text.
std::vector<std::string> stack_of(uint32_t node);
const Code& code(uint32_t id);
size_t codes();
void clear();

// While false, definitions answer 0, as they do when recording is off.
extern bool recording;

}  // namespace memlens::interposer::recorded

#include "reader/symbolizer/line_table.h"

#include <dwarf.h>

#include <string_view>
#include <vector>

namespace memlens::reader {

LineTable::LineTable(Dwarf_Die unit) {
  if (dwarf_getsrclines(&unit, &lines_, &row_count_) != 0) row_count_ = 0;
  if (dwarf_getsrcfiles(&unit, &files_, &file_count_) != 0) file_count_ = 0;
  Dwarf_Attribute attribute;
  directory_ = dwarf_formstring(dwarf_attr(&unit, DW_AT_comp_dir, &attribute));
}

LineTable::Place LineTable::find(uint64_t address) const {
  // The last row at or below the address; libdw has sorted them.
  size_t low = 0;
  size_t high = row_count_;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    Dwarf_Addr row_address = 0;
    if (dwarf_lineaddr(dwarf_onesrcline(lines_, middle), &row_address) != 0) return {};
    if (row_address <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return {};
  Dwarf_Line* row = dwarf_onesrcline(lines_, low - 1);
  bool ends_sequence = false;
  if (dwarf_lineendsequence(row, &ends_sequence) != 0 || ends_sequence) return {};
  Place place;
  place.file = dwarf_linesrc(row, nullptr, nullptr);
  int line = 0;
  if (dwarf_lineno(row, &line) == 0 && line > 0) place.line = static_cast<uint32_t>(line);
  return place;
}

LineTable::Place LineTable::call_site(Dwarf_Die& inlined) const {
  Place place;
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_formudata(dwarf_attr(&inlined, DW_AT_call_file, &attribute), &value) == 0 &&
      value < file_count_) {
    place.file = dwarf_filesrc(files_, value, nullptr, nullptr);
  }
  if (dwarf_formudata(dwarf_attr(&inlined, DW_AT_call_line, &attribute), &value) == 0 &&
      value <= UINT32_MAX) {
    place.line = static_cast<uint32_t>(value);
  }
  return place;
}

std::string normal_path(std::string_view text) {
  const bool absolute = text.starts_with('/');
  std::vector<std::string_view> parts;
  size_t begin = 0;
  while (begin <= text.size()) {
    size_t end = text.find('/', begin);
    if (end == std::string_view::npos) end = text.size();
    const std::string_view part = text.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (part != ".." || !absolute) {
      parts.push_back(part);
    }
  }
  std::string normal = absolute ? "/" : "";
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) normal += '/';
    normal += parts[i];
  }
  return normal;
}

std::string source_path(const char* directory, const char* file) {
  std::string path = normal_path(file);
  if (directory == nullptr || path.starts_with('/')) return path;
  const std::string parent = normal_path(directory);
  if (parent.empty() || path.starts_with(parent + "/")) return path;
  return normal_path(parent + "/" + file);
}

}  // namespace memlens::reader

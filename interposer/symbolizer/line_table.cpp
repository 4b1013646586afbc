#include "interposer/symbolizer/line_table.h"

#include <dwarf.h>

#include <vector>

namespace memlens::symbolizer {
namespace {

uint64_t line_program_offset(Dwarf_Die& unit) {
  Dwarf_Attribute attribute;
  Dwarf_Word offset = 0;
  const bool is_known =
      dwarf_formudata(dwarf_attr(&unit, DW_AT_stmt_list, &attribute), &offset) == 0;
  return is_known ? offset : UINT64_MAX;
}

std::string_view compilation_directory(Dwarf_Die& unit) {
  Dwarf_Attribute attribute;
  const char* text = dwarf_formstring(dwarf_attr(&unit, DW_AT_comp_dir, &attribute));
  return text == nullptr ? std::string_view() : text;
}

}  // namespace

LineTable::LineTable(const LineSections& sections, Dwarf_Die unit,
                     std::span<const uint64_t> addresses)
    : directory_(compilation_directory(unit)),
      program_(sections, line_program_offset(unit), directory_),
      rows_(program_.rows_of(addresses)) {}

size_t LineTable::known_file(uint64_t number) const {
  return number < file_count() && !program_.files()[number].name.empty() ? number : kNoFile;
}

LineTable::Place LineTable::place_of(size_t address_index) const {
  const LineProgram::Row& row = rows_[address_index];
  if (!row.is_known) return {};
  Place place;
  place.file = known_file(row.file);
  if (row.line > 0 && row.line <= INT32_MAX) place.line = static_cast<uint32_t>(row.line);
  return place;
}

LineTable::Place LineTable::call_site(Dwarf_Die& inlined) const {
  Place place;
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_formudata(dwarf_attr(&inlined, DW_AT_call_file, &attribute), &value) == 0) {
    place.file = known_file(value);
  }
  if (dwarf_formudata(dwarf_attr(&inlined, DW_AT_call_line, &attribute), &value) == 0 &&
      value <= UINT32_MAX) {
    place.line = static_cast<uint32_t>(value);
  }
  return place;
}

std::string LineTable::path(size_t file) const {
  const LineProgram::File& entry = program_.files()[file];
  std::string path(entry.name);
  if (!path.starts_with('/') && !entry.directory.empty()) {
    path.insert(0, "/").insert(0, entry.directory);
  }
  return source_path(directory_, path);
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

std::string source_path(std::string_view directory, std::string_view file) {
  std::string path = normal_path(file);
  if (directory.empty() || path.starts_with('/')) return path;
  const std::string parent = normal_path(directory);
  if (parent.empty() || path.starts_with(parent + "/")) return path;
  return normal_path((parent + "/").append(file));
}

}  // namespace memlens::symbolizer

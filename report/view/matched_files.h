// Which file of one capture is which of another, made from another checkout or on another machine.
#pragma once

#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace memlens::report {

using FileNames = std::unordered_set<std::string_view>;

// Old name -> new name, of files that are in one of the two only and have no equal there: those
// whose names agree in the most folders from the end, when each is the other's single best.
// "/build/v1/src/a.cpp" is "/build/v2/src/a.cpp"; "x/__init__.py" is not "y/__init__.py".
std::unordered_map<std::string_view, std::string_view> match_moved_files(
    const FileNames& old_files, const FileNames& new_files);

}  // namespace memlens::report

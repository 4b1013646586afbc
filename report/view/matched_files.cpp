#include "report/view/matched_files.h"

#include <algorithm>
#include <array>
#include <vector>

#include "reader/text/base_name.h"

namespace memlens::report {
namespace {

// Their folder is their name.
constexpr std::array<std::string_view, 4> kNamelessFiles = {"__init__.py", "__main__.py", "mod.rs",
                                                            "main.rs"};

// How many folders and names are equal from the end on.
size_t equal_parts(std::string_view a, std::string_view b) {
  size_t parts = 0;
  while (true) {
    const std::string_view name = reader::base_name(a);
    if (name != reader::base_name(b) || name.empty()) return parts;
    ++parts;
    if (name.size() == a.size() || name.size() == b.size()) return parts;
    a.remove_suffix(name.size() + 1);
    b.remove_suffix(name.size() + 1);
  }
}

size_t least_equal_parts(std::string_view file) {
  return std::ranges::find(kNamelessFiles, reader::base_name(file)) == kNamelessFiles.end() ? 1 : 2;
}

// The one file that agrees most with `file`; empty: none, or several as much.
std::string_view best_of(std::string_view file, const std::vector<std::string_view>& candidates) {
  std::string_view best;
  size_t best_parts = least_equal_parts(file) - 1;
  for (const std::string_view candidate : candidates) {
    const size_t parts = equal_parts(file, candidate);
    if (parts > best_parts) {
      best = candidate;
      best_parts = parts;
    } else if (parts == best_parts) {
      best = {};
    }
  }
  return best;
}

using ByLastPart = std::unordered_map<std::string_view, std::vector<std::string_view>>;

ByLastPart only_in(const FileNames& files, const FileNames& others) {
  ByLastPart only;
  for (const std::string_view file : files) {
    // "<string>" and the like name no file.
    if (file.empty() || file.starts_with('<') || others.contains(file)) continue;
    only[reader::base_name(file)].push_back(file);
  }
  return only;
}

}  // namespace

std::unordered_map<std::string_view, std::string_view> match_moved_files(
    const FileNames& old_files, const FileNames& new_files) {
  const ByLastPart only_old = only_in(old_files, new_files);
  const ByLastPart only_new = only_in(new_files, old_files);
  std::unordered_map<std::string_view, std::string_view> moved;
  for (const auto& [name, olds] : only_old) {
    const auto news = only_new.find(name);
    if (news == only_new.end()) continue;
    for (const std::string_view file : olds) {
      const std::string_view best = best_of(file, news->second);
      if (!best.empty() && best_of(best, olds) == file) moved[file] = best;
    }
  }
  return moved;
}

}  // namespace memlens::report

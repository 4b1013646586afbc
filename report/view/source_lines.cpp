#include "report/view/source_lines.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>

#include "report/view/responsible.h"

namespace memlens::report {
namespace {

void add_stack(SourceLine& line, const StackSums& stack) {
  for (size_t view = 0; view < line.tallies.size(); ++view) {
    line.tallies[view] += stack.tallies[view];
  }
}

// Each stack at its innermost frame that is one of those.
template <typename IsOne>
std::vector<SourceLine> innermost_lines(const std::vector<StackSums>& stacks, const FrameTree& tree,
                                        IsOne is_one) {
  std::vector<bool> chosen;
  chosen.reserve(tree.frames().size());
  for (const reader::Frame& frame : tree.frames()) chosen.push_back(is_one(frame));
  std::map<uint32_t, SourceLine> lines;
  for (const StackSums& stack : stacks) {
    FrameTree::NodeId node = stack.node;
    while (node != FrameTree::kRoot && !chosen[tree.frame_id(node)]) node = tree.parent(node);
    if (node == FrameTree::kRoot) continue;
    SourceLine& line = lines[tree.frame(node).line];
    if (line.frame == nullptr) line.frame = &tree.frame(node);
    add_stack(line, stack);
  }
  std::vector<SourceLine> sorted;
  sorted.reserve(lines.size());
  for (const auto& [number, line] : lines) sorted.push_back(line);
  return sorted;
}

}  // namespace

std::vector<SourceLine> find_source_lines(const std::vector<StackSums>& stacks,
                                          const FrameTree& tree, const CodeOrigins& origins) {
  const ResponsibleNodes responsible(tree, origins);
  std::unordered_map<uint32_t, size_t> line_of_frame;
  std::vector<SourceLine> lines;
  for (const StackSums& stack : stacks) {
    const FrameTree::NodeId node = responsible.of(stack.node);
    const auto [line, added] = line_of_frame.try_emplace(tree.frame_id(node), lines.size());
    if (added) lines.push_back({&tree.frame(node), {}});
    add_stack(lines[line->second], stack);
  }
  std::ranges::stable_sort(lines, std::greater{}, [](const SourceLine& line) {
    return std::pair(line.of(View::kPeak).bytes, line.of(View::kAllocations).bytes);
  });
  return lines;
}

std::vector<SourceLine> find_lines_of_file(const std::vector<StackSums>& stacks,
                                           const FrameTree& tree, std::string_view file) {
  return innermost_lines(stacks, tree,
                         [file](const reader::Frame& frame) { return frame.file == file; });
}

std::vector<SourceLine> find_lines_of_function(const std::vector<StackSums>& stacks,
                                               const FrameTree& tree,
                                               const reader::ProfiledFunction& function) {
  // Code objects before 3.11 have no qualified name.
  const std::string_view last_name = function.name.substr(function.name.rfind('.') + 1);
  return innermost_lines(stacks, tree, [&](const reader::Frame& frame) {
    return frame.origin == reader::FrameOrigin::kPython && frame.file == function.file &&
           frame.line >= function.first_line &&
           frame.line - function.first_line < function.line_count &&
           (frame.function == function.name || frame.function == last_name);
  });
}

std::vector<std::string_view> find_files(const FrameTree& tree, std::string_view name) {
  while (name.starts_with("./")) name.remove_prefix(2);
  std::set<std::string_view> files;
  for (const reader::Frame& frame : tree.frames()) {
    if (frame.file == name) return {frame.file};
    const bool ends = frame.file.size() > name.size() && frame.file.ends_with(name) &&
                      frame.file[frame.file.size() - name.size() - 1] == '/';
    if (ends && !name.empty()) files.insert(frame.file);
  }
  return {files.begin(), files.end()};
}

}  // namespace memlens::report

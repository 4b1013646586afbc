#include "report/view/folded_stack.h"

#include <algorithm>

#include "report/view/code_origin.h"

namespace memlens::report {
namespace {

constexpr size_t kLongestCycle = 8;
constexpr size_t kShortestRun = 3;

std::string count_frames(size_t count) {
  return std::to_string(count) + (count == 1 ? " frame" : " frames");
}

// How many frames from `begin` on repeat the `length` before them.
size_t repeated_frames(const std::vector<uint32_t>& ids, size_t begin, size_t length) {
  size_t end = begin + length;
  while (end < ids.size() && ids[end] == ids[end - length]) ++end;
  return (end - begin - length) / length * length;
}

template <typename Predicate>
size_t run_length(const std::vector<const reader::Frame*>& frames, size_t begin,
                  Predicate predicate) {
  size_t end = begin;
  while (end < frames.size() && predicate(*frames[end])) ++end;
  return end - begin;
}

std::vector<StackLine> fold(const std::vector<const reader::Frame*>& frames,
                            const std::vector<uint32_t>& ids) {
  std::vector<StackLine> lines;
  for (size_t i = 0; i < frames.size();) {
    const size_t imports = run_length(frames, i, is_import_machinery);
    if (imports >= kShortestRun) {
      lines.push_back({nullptr, std::to_string(imports) + " import frames", imports});
      i += imports;
      continue;
    }
    // The outermost is what the program called; the others are how that works.
    const size_t cpp = run_length(frames, i, is_cpp_machinery);
    if (cpp > kShortestRun) {
      lines.push_back({nullptr, std::to_string(cpp - 1) + " C++ library frames", cpp - 1});
      lines.push_back({frames[i + cpp - 1], "", 1});
      i += cpp;
      continue;
    }
    size_t cycle = 0, repeats = 0;
    for (size_t length = 1; length <= kLongestCycle && cycle == 0; ++length) {
      repeats = repeated_frames(ids, i, length);
      // Two lines that a remark of one line would replace are left as they are.
      if (repeats >= 2) cycle = length;
    }
    const size_t shown = std::max<size_t>(cycle, 1);
    for (size_t j = 0; j < shown; ++j) lines.push_back({frames[i + j], "", 1});
    i += shown;
    if (cycle > 0) {
      lines.push_back({nullptr,
                       (cycle == 1 ? "the same" : "these " + std::to_string(cycle)) + ", " +
                           std::to_string(repeats / cycle) + " times more",
                       repeats});
      i += repeats;
    }
  }
  return lines;
}

}  // namespace

std::vector<StackLine> fold_stack(const FrameTree& tree, FrameTree::NodeId leaf, size_t max_lines) {
  std::vector<const reader::Frame*> frames;
  std::vector<uint32_t> ids;
  for (FrameTree::NodeId node = leaf; node != FrameTree::kRoot; node = tree.parent(node)) {
    frames.push_back(&tree.frame(node));
    ids.push_back(tree.frame_id(node));
  }
  std::vector<StackLine> lines = fold(frames, ids);
  if (max_lines == 0 || lines.size() <= max_lines) return lines;

  // Both ends matter: where the block was made, and what the program was about.
  const size_t kept = std::max<size_t>(max_lines, 3) - 1;
  const size_t kept_outer = kept / 3;
  const auto begin = lines.begin() + static_cast<std::ptrdiff_t>(kept - kept_outer);
  const auto end = lines.end() - static_cast<std::ptrdiff_t>(kept_outer);
  size_t left_out = 0;
  for (auto line = begin; line != end; ++line) left_out += line->frame_count;
  begin->frame = nullptr;
  begin->remark = count_frames(left_out) + " left out";
  begin->frame_count = left_out;
  lines.erase(begin + 1, end);
  return lines;
}

}  // namespace memlens::report

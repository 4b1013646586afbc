#include "report/view/folded_stack.h"

#include <algorithm>

#include "report/text/short_path.h"
#include "report/view/native_code.h"
#include "report/view/python_code.h"
#include "report/view/responsible.h"

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

// How many frames from `begin` on have no name, in one module.
size_t nameless_frames(const std::vector<const reader::Frame*>& frames, size_t begin) {
  return run_length(frames, begin, [&](const reader::Frame& frame) {
    return is_nameless(frame) && frame.module == frames[begin]->module;
  });
}

// `responsible` is the frame that the reader looks for. When it has no name, others without are
// all there is to see.
std::vector<StackLine> fold(const std::vector<const reader::Frame*>& frames,
                            const std::vector<uint32_t>& ids, const reader::Frame& responsible) {
  const bool hides_nameless = !is_nameless(responsible);
  std::vector<StackLine> lines;
  for (size_t i = 0; i < frames.size();) {
    const size_t imports = run_length(frames, i, is_import_machinery);
    if (imports >= kShortestRun) {
      lines.push_back({nullptr, std::to_string(imports) + " import frames", imports, ""});
      i += imports;
      continue;
    }
    // The outermost is what the program called; the others are how that works.
    const size_t cpp = run_length(frames, i, is_container_machinery);
    if (cpp > kShortestRun) {
      lines.push_back({nullptr, std::to_string(cpp - 1) + " library frames", cpp - 1, ""});
      lines.push_back({frames[i + cpp - 1], "", 1, ""});
      i += cpp;
      continue;
    }
    const size_t nameless = hides_nameless ? nameless_frames(frames, i) : 0;
    if (nameless >= kShortestRun) {
      lines.push_back({nullptr, std::to_string(nameless) + " frames without names", nameless,
                       short_module(frames[i]->module)});
      i += nameless;
      continue;
    }
    size_t cycle = 0, repeats = 0;
    for (size_t length = 1; length <= kLongestCycle && cycle == 0; ++length) {
      repeats = repeated_frames(ids, i, length);
      // Two lines that a remark of one line would replace are left as they are.
      if (repeats >= 2) cycle = length;
    }
    const size_t shown = std::max<size_t>(cycle, 1);
    for (size_t j = 0; j < shown; ++j) lines.push_back({frames[i + j], "", 1, ""});
    i += shown;
    if (cycle > 0) {
      lines.push_back({nullptr,
                       (cycle == 1 ? "the same" : "these " + std::to_string(cycle)) + ", " +
                           std::to_string(repeats / cycle) + " times more",
                       repeats, ""});
      i += repeats;
    }
  }
  return lines;
}

// Puts a remark in place of some lines, if there are any.
void leave_out(std::vector<StackLine>& lines, size_t begin, size_t end) {
  if (begin == end) return;
  size_t left_out = 0;
  for (size_t i = begin; i < end; ++i) left_out += lines[i].frame_count;
  lines[begin] = {nullptr, count_frames(left_out) + " left out", left_out, ""};
  const auto first = lines.begin() + static_cast<std::ptrdiff_t>(begin);
  lines.erase(first + 1, first + static_cast<std::ptrdiff_t>(end - begin));
}

}  // namespace

std::vector<StackLine> fold_stack(const FrameTree& tree, FrameTree::NodeId leaf,
                                  const CodeOrigins& origins, size_t max_lines) {
  std::vector<const reader::Frame*> frames;
  std::vector<uint32_t> ids;
  for (FrameTree::NodeId node = leaf; node != FrameTree::kRoot; node = tree.parent(node)) {
    frames.push_back(&tree.frame(node));
    ids.push_back(tree.frame_id(node));
  }
  const reader::Frame& responsible = tree.frame(responsible_node(tree, leaf, origins));
  std::vector<StackLine> lines = fold(frames, ids, responsible);
  if (max_lines == 0 || lines.size() <= max_lines) return lines;

  // Both ends matter: where the block was made, and what the program was about.
  const size_t kept = std::max<size_t>(max_lines, 7) - 1;
  const size_t kept_outer = kept / 3;
  const size_t outer_begin = lines.size() - kept_outer;
  const auto shown = std::ranges::find(lines, &responsible, &StackLine::frame);
  const size_t shown_at = static_cast<size_t>(shown - lines.begin());
  if (shown_at < kept - kept_outer || shown_at >= outer_begin) {
    leave_out(lines, kept - kept_outer, outer_begin);
    return lines;
  }
  // In between: half of the inner lines go to the responsible one and those that called it.
  const size_t kept_inner = (kept - kept_outer - 1) / 2;
  const size_t callers_end = std::min(shown_at + (kept - kept_outer - 1 - kept_inner), outer_begin);
  leave_out(lines, callers_end, outer_begin);
  leave_out(lines, kept_inner, shown_at);
  return lines;
}

}  // namespace memlens::report

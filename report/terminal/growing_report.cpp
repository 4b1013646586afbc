#include "report/terminal/growing_report.h"

#include <algorithm>

#include "report/terminal/units.h"
#include "report/terminal/wording.h"
#include "report/text/columns.h"

namespace memlens::report {
namespace {

constexpr size_t kIndent = 4;

// "1.20 MB > 2.41 MB > 3.60 MB": at every mark, or at every other where the terminal is narrow.
std::string bytes_at_marks(const std::vector<reader::GrowthPoint>& points,
                           const Terminal& terminal) {
  for (size_t apart = 1;; ++apart) {
    std::string text;
    // Counted from the end: the last mark is what there is now.
    for (size_t i = (points.size() - 1) % apart; i < points.size(); i += apart) {
      if (!text.empty()) text += terminal.unicode ? " › " : " > ";
      text += format_bytes(points[i].bytes);
    }
    if (column_count(text) + kIndent <= terminal.columns || apart >= points.size()) return text;
  }
}

void print_heading(std::ostream& out, const Terminal& terminal, const GrowingStack& stack,
                   size_t number) {
  const reader::GrowthPoint& last = stack.points.back();
  const std::string rank = std::to_string(number) + ".";
  const std::string gained = "+" + format_bytes(stack.gained_bytes());
  const std::string now = format_bytes(last.bytes) +
                          format_bytes_error(last.variance, terminal.unicode) + " in " +
                          format_count_of(last.blocks, "block");
  out << rank << std::string(rank.size() < kIndent ? kIndent - rank.size() : 1, ' ')
      << terminal.paint(Paint::kBold, gained) << terminal.paint(Paint::kDim, "  to " + now) << '\n'
      << std::string(kIndent, ' ') << bytes_at_marks(stack.points, terminal) << '\n';
}

}  // namespace

void print_growing_report(std::ostream& out, const Terminal& terminal,
                          const reader::CaptureInfo& info, const std::vector<double>& marks,
                          const std::vector<GrowingStack>& stacks, const FrameTree& tree,
                          const CodeOrigins& origins, const StackReportLimits& limits) {
  uint64_t gained = 0;
  for (const GrowingStack& stack : stacks) gained += stack.gained_bytes();
  const std::string what = stacks.empty() ? "no stack rises from mark to mark"
                                          : "+" + format_bytes(gained) + " by " +
                                                format_count_of(stacks.size(), "stack");
  out << capture_heading(info, terminal) << '\n'
      << terminal.paint(Paint::kBold, "Growing: " + what) << ", at "
      << format_count_of(marks.size(), "mark") << " from " << format_seconds(marks.front())
      << " to " << format_seconds(marks.back()) << '\n';
  const size_t shown = limits.stacks == 0 ? stacks.size() : std::min(limits.stacks, stacks.size());
  for (size_t i = 0; i < shown; ++i) {
    out << '\n';
    print_heading(out, terminal, stacks[i], i + 1);
    print_stack_frames(out, terminal, info, tree, stacks[i].node, origins, limits.lines_per_stack);
  }
  if (shown == stacks.size()) return;
  out << '\n'
      << format_count(stacks.size() - shown) << (shown > 0 ? " more" : "")
      << (stacks.size() - shown == 1 ? " stack" : " stacks")
      << terminal.paint(Paint::kDim, "  (-n 0 shows all)") << '\n';
}

}  // namespace memlens::report

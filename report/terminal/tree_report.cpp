#include "report/terminal/tree_report.h"

#include <algorithm>

#include "report/terminal/table.h"
#include "report/terminal/units.h"
#include "report/terminal/wording.h"
#include "report/text/columns.h"
#include "report/text/short_path.h"

namespace memlens::report {
namespace {

using NodeId = FrameTree::NodeId;

// How a branch is drawn: before its own line, and before all that hangs below it.
struct Drawing {
  const char* branch;
  const char* last_branch;
  const char* below;
  const char* below_last;
  const char* gap;
};
constexpr Drawing kUnicode = {"├─ ", "└─ ", "│  ", "   ", "⋮ "};
constexpr Drawing kAscii = {"|- ", "`- ", "|  ", "   ", ": "};

constexpr size_t kDrawnColumns = 30;

class TreePrinter {
 public:
  TreePrinter(const Terminal& terminal, const reader::CaptureInfo& info, View view,
              const CallTree& tree, const TreeLimits& limits)
      : unicode_(terminal.unicode),
        drawing_(terminal.unicode ? kUnicode : kAscii),
        info_(info),
        view_(view),
        tree_(tree),
        limits_(limits),
        whole_(weight_of(tree.total(FrameTree::kRoot), view)),
        table_({{"share", Align::kRight},
                {"total", Align::kRight},
                {"own", Align::kRight},
                {"function", Align::kLeft, Cut::kEnd, 30},
                {"place", Align::kLeft, Cut::kStart, 24},
                {"", Align::kLeft, Cut::kEnd, 16}}) {}

  void print(std::ostream& out, const Terminal& terminal) {
    add_callees(FrameTree::kRoot, "", true);
    table_.print(out, terminal, 0);
  }

 private:
  uint64_t weight(NodeId node) const { return weight_of(tree_.total(node), view_); }

  bool is_small(NodeId node) const {
    return static_cast<double>(weight(node)) < limits_.min_share * static_cast<double>(whole_);
  }

  // A node's only callee; kRoot: there are several, or none worth a line.
  NodeId only_callee(NodeId node) const {
    const auto callees = tree_.children(node);
    return callees.size() == 1 && !is_small(callees[0]) ? callees[0] : FrameTree::kRoot;
  }

  // A node and its single callees, in runs that all weigh the same.
  std::vector<std::vector<NodeId>> chain_from(NodeId node) const {
    std::vector<std::vector<NodeId>> runs;
    for (; node != FrameTree::kRoot; node = only_callee(node)) {
      if (runs.empty() || weight(runs.back().back()) != weight(node)) runs.emplace_back();
      runs.back().push_back(node);
    }
    return runs;
  }

  std::string amount(const reader::Tally& tally) const {
    return view_ == View::kTemporary ? format_count(tally.blocks) : format_bytes(tally.bytes);
  }

  // Deep in the tree the lines drawn must leave room for the name.
  std::string label(const std::string& drawn, const std::string& text) const {
    return cut_start(drawn, kDrawnColumns, unicode_) + text;
  }

  void add_line(NodeId node, const std::string& drawn, bool with_amounts) {
    const reader::Frame& frame = tree_.frames().frame(node);
    const uint64_t own = weight_of(tree_.own(node), view_);
    const Paint paint = paint_of_share(weight(node), whole_);
    table_.add_row({{with_amounts ? format_share(weight(node), whole_) : "", paint},
                    with_amounts ? amount(tree_.total(node)) : "",
                    {own != 0 ? amount(tree_.own(node)) : "", Paint::kBold},
                    label(drawn, printable(frame.function)),
                    place_of(frame, info_.working_directory),
                    {printable(frame.source), Paint::kDim}});
  }

  // One amount for all of a run, on its first line.
  void add_run(const std::vector<NodeId>& run, const std::string& drawn, const std::string& below) {
    const size_t limit = limits_.lines_per_chain;
    // One line is not replaced by another that says it was left out.
    const bool cut = limit != 0 && run.size() > limit + 1;
    const size_t head = cut ? limit / 2 : run.size();
    for (size_t i = 0; i < head; ++i) add_line(run[i], i == 0 ? drawn : below, i == 0);
    if (!cut) return;
    const std::string remark = std::to_string(run.size() - limit) + " frames";
    table_.add_row({"", "", "", {label(below, drawing_.gap + remark), Paint::kDim}});
    for (size_t i = run.size() - (limit - head); i < run.size(); ++i)
      add_line(run[i], below, false);
  }

  // Recursion goes as deep as branches nest that each weigh min_share or more; a chain of single
  // callees is a loop. Of an only callee that is small, a line of others is left to print.
  void add_callees(NodeId node, const std::string& prefix, bool is_top) {
    const auto callees = tree_.children(node);
    const auto first_small =
        std::ranges::find_if(callees, [&](NodeId callee) { return is_small(callee); });
    const size_t shown = static_cast<size_t>(first_small - callees.begin());
    const bool has_others = shown < callees.size();
    for (size_t i = 0; i < shown; ++i) {
      const bool last = i + 1 == shown && !has_others;
      const std::string drawn =
          is_top ? "" : prefix + (last ? drawing_.last_branch : drawing_.branch);
      const std::string below =
          is_top ? "" : prefix + (last ? drawing_.below_last : drawing_.below);
      const auto runs = chain_from(callees[i]);
      for (const auto& run : runs) add_run(run, &run == &runs.front() ? drawn : below, below);
      add_callees(runs.back().back(), below, false);
    }
    if (has_others) add_others(callees.subspan(shown), prefix, is_top);
  }

  void add_others(std::span<const NodeId> others, const std::string& prefix, bool is_top) {
    reader::Tally sum;
    for (NodeId node : others) {
      sum.bytes += tree_.total(node).bytes;
      sum.blocks += tree_.total(node).blocks;
    }
    table_.add_row({{format_share(weight_of(sum, view_), whole_), Paint::kDim},
                    {amount(sum), Paint::kDim},
                    "",
                    {label(is_top ? "" : prefix + drawing_.last_branch,
                           format_count_of(others.size(), "other")),
                     Paint::kDim}});
  }

  const bool unicode_;
  const Drawing& drawing_;
  const reader::CaptureInfo& info_;
  const View view_;
  const CallTree& tree_;
  const TreeLimits& limits_;
  const uint64_t whole_;
  Table table_;
};

}  // namespace

void print_tree_report(std::ostream& out, const Terminal& terminal, const reader::CaptureInfo& info,
                       const reader::Totals& totals, View view, const CallTree& tree,
                       const TreeLimits& limits) {
  out << capture_heading(info, terminal) << '\n'
      << terminal.paint(Paint::kBold, view_title(view) + ": " + view_amount(view, totals, info))
      << "\n\n";
  TreePrinter(terminal, info, view, tree, limits).print(out, terminal);
}

}  // namespace memlens::report

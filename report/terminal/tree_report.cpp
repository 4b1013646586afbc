#include "report/terminal/tree_report.h"

#include <algorithm>

#include "reader/text/columns.h"
#include "reader/text/units.h"
#include "report/terminal/table.h"
#include "report/terminal/wording.h"
#include "report/text/short_function.h"
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
// Others are listed when together they weigh this part of what a branch of its own must.
constexpr double kOthersShare = 0.1;

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
                {"place", Align::kLeft, Cut::kFolders, 26},
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

  // A node's only callee worth a line; kRoot: there are several, or none.
  NodeId main_callee(NodeId node) const {
    const auto callees = tree_.children(node);
    if (callees.empty() || is_small(callees[0])) return FrameTree::kRoot;
    return callees.size() == 1 || is_small(callees[1]) ? callees[0] : FrameTree::kRoot;
  }

  // A node and the calls that lead on from it to one place, in runs that all weigh the same.
  std::vector<std::vector<NodeId>> chain_from(NodeId node) const {
    std::vector<std::vector<NodeId>> runs;
    for (; node != FrameTree::kRoot; node = main_callee(node)) {
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
                    label(drawn, short_function(frame.function, unicode_)),
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

  // Recursion goes as deep as branches nest that each weigh min_share or more; a chain is a loop.
  void add_callees(NodeId node, const std::string& prefix, bool is_top) {
    const auto callees = tree_.children(node);
    const auto first_small =
        std::ranges::find_if(callees, [&](NodeId callee) { return is_small(callee); });
    const size_t shown = static_cast<size_t>(first_small - callees.begin());
    const reader::Tally others = sum(callees.subspan(shown));
    const bool lists_others = is_worth_a_line(others);
    for (size_t i = 0; i < shown; ++i) {
      const bool last = i + 1 == shown && !lists_others;
      const std::string drawn =
          is_top ? "" : prefix + (last ? drawing_.last_branch : drawing_.branch);
      const std::string below =
          is_top ? "" : prefix + (last ? drawing_.below_last : drawing_.below);
      const auto runs = chain_from(callees[i]);
      for (const auto& run : runs) {
        add_run(run, &run == &runs.front() ? drawn : below, below);
        if (&run != &runs.back()) add_side_calls(run.back(), below);
      }
      add_callees(runs.back().back(), below, false);
    }
    if (lists_others) {
      add_others(callees.size() - shown, others, is_top ? "" : prefix + drawing_.last_branch);
    }
  }

  // What a node of a chain calls besides the next one of the chain.
  void add_side_calls(NodeId node, const std::string& below) {
    const auto others = tree_.children(node).subspan(1);
    const reader::Tally amounts = sum(others);
    if (is_worth_a_line(amounts)) add_others(others.size(), amounts, below + drawing_.branch);
  }

  void add_others(size_t count, const reader::Tally& amounts, const std::string& drawn) {
    table_.add_row({{format_share(weight_of(amounts, view_), whole_), Paint::kDim},
                    {amount(amounts), Paint::kDim},
                    "",
                    {label(drawn, format_count_of(count, "other")), Paint::kDim}});
  }

  reader::Tally sum(std::span<const NodeId> nodes) const {
    reader::Tally tally;
    for (NodeId node : nodes) {
      tally.bytes += tree_.total(node).bytes;
      tally.blocks += tree_.total(node).blocks;
    }
    return tally;
  }

  bool is_worth_a_line(const reader::Tally& others) const {
    const double least = limits_.min_share * kOthersShare * static_cast<double>(whole_);
    const uint64_t others_weight = weight_of(others, view_);
    return others_weight > 0 && static_cast<double>(others_weight) >= least;
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
      << terminal.paint(Paint::kBold,
                        view_title(view) + ": " + view_amount(view, totals, info, terminal))
      << "\n\n";
  TreePrinter(terminal, info, view, tree, limits).print(out, terminal);
}

}  // namespace memlens::report

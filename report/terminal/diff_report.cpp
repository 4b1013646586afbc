#include "report/terminal/diff_report.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "reader/text/columns.h"
#include "reader/text/units.h"
#include "report/terminal/table.h"
#include "report/terminal/wording.h"
#include "report/text/change_units.h"
#include "report/text/short_function.h"
#include "report/text/short_path.h"

namespace memlens::report {
namespace {

constexpr size_t kListedPlaces = 5;

class DiffPrinter {
 public:
  DiffPrinter(std::ostream& out, const Terminal& terminal, const reader::CaptureInfo& old_info,
              const reader::CaptureInfo& new_info, View view, const StackDiff& diff,
              const CodeOrigins& old_origins, const CodeOrigins& new_origins)
      : out_(out),
        terminal_(terminal),
        old_info_(old_info),
        new_info_(new_info),
        view_(view),
        diff_(diff),
        old_origins_(old_origins),
        new_origins_(new_origins) {}

  void print(const StackReportLimits& limits) {
    Terminal heading = terminal_;
    heading.columns -= std::min<size_t>(heading.columns, 5);
    out_ << "old  " << capture_heading(old_info_, heading) << '\n'
         << "new  " << capture_heading(new_info_, heading) << '\n'
         << terminal_.paint(Paint::kBold, view_title(view_) + ": " + amounts(diff_.total()))
         << '\n';
    const auto& stacks = diff_.stacks();
    const auto changed =
        static_cast<size_t>(std::ranges::find_if_not(stacks, is_changed) - stacks.begin());
    if (changed == 0) {
      out_ << "\nNo stack differs in this view.\n";
      return;
    }
    print_places();
    const size_t shown = limits.stacks == 0 ? changed : std::min(limits.stacks, changed);
    for (size_t i = 0; i < shown; ++i) print_stack(stacks[i], i + 1, limits.lines_per_stack);
    print_rest(shown, changed);
  }

 private:
  // Sorted by change, so that those without are last.
  static bool is_changed(const DiffStack& stack) {
    return stack.change.delta_bytes() != 0 || stack.change.delta_blocks() != 0;
  }

  std::string arrow() const { return terminal_.unicode ? " → " : " -> "; }

  // "74.2 MB → 91.0 MB, +16.8 MB (+22.6 %); 1,047 → 1,100 blocks".
  std::string amounts(const Change& change) const {
    std::string text = format_bytes(change.before.bytes) + arrow() +
                       format_bytes(change.after.bytes) + ", " +
                       format_bytes_change(change.delta_bytes()) +
                       format_bytes_error(change.variance().bytes, terminal_.unicode) + " (" +
                       format_relative_change(change.before.bytes, change.after.bytes) + "); ";
    text += change.before.blocks == change.after.blocks
                ? format_count_of(change.after.blocks, "block")
                : format_count(change.before.blocks) + arrow() +
                      format_count_of(change.after.blocks, "block");
    return text;
  }

  // A change that is no chance, and no trifle, is painted.
  Paint paint_of(const Change& change) const {
    const auto delta = static_cast<double>(change.delta_bytes());
    if (is_chance(change)) return Paint::kDim;
    const auto whole =
        static_cast<double>(std::max(diff_.total().before.bytes, diff_.total().after.bytes));
    return delta <= 0 ? Paint::kPlain : delta >= whole / 20 ? Paint::kHot : Paint::kWarm;
  }

  // Of samples: less than two standard errors.
  static bool is_chance(const Change& change) {
    const reader::Variance variance = change.variance();
    return variance.bytes > 0 &&
           std::abs(static_cast<double>(change.delta_bytes())) < 2 * std::sqrt(variance.bytes);
  }

  std::string weight_change(const Change& change) const {
    if (view_ == View::kTemporary) return format_count_change(change.delta_blocks());
    return format_bytes_change(change.delta_bytes());
  }

  std::string weight(const reader::Tally& tally) const {
    return view_ == View::kTemporary ? format_count(tally.blocks) : format_bytes(tally.bytes);
  }

  void print_places() {
    out_ << '\n' << terminal_.paint(Paint::kBold, "Lines that changed most") << '\n';
    Table table({{"change", Align::kRight},
                 {"old", Align::kRight},
                 {"new", Align::kRight},
                 {"function", Align::kLeft, Cut::kEnd, 20},
                 {"place", Align::kLeft, Cut::kFolders, 26},
                 {"", Align::kLeft, Cut::kEnd, 16}});
    const auto& places = diff_.places();
    for (size_t i = 0; i < places.size() && i < kListedPlaces; ++i) {
      const auto& [frame, is_new, change] = places[i];
      if (change.delta_bytes() == 0 && change.delta_blocks() == 0) break;
      table.add_row(
          {{weight_change(change), paint_of(change)},
           weight(change.before),
           weight(change.after),
           {short_function(frame->function, terminal_.unicode), Paint::kBold},
           place_of(*frame, is_new ? new_info_.working_directory : old_info_.working_directory),
           {printable(frame->source), Paint::kDim}});
    }
    table.print(out_, terminal_, kTableIndent);
  }

  void print_stack(const DiffStack& stack, size_t number, size_t lines) {
    const Change& change = stack.change;
    const char* note = is_chance(change)           ? "  may be chance"
                       : change.before.blocks == 0 ? "  only in new"
                       : change.after.blocks == 0  ? "  only in old"
                                                   : "";
    out_ << '\n'
         << entry_number(number) << terminal_.paint(paint_of(change), weight_change(change)) << "  "
         << terminal_.paint(Paint::kDim, details(change)) << terminal_.paint(Paint::kBold, note)
         << '\n';
    print_stack_frames(out_, terminal_, stack.is_new ? new_info_ : old_info_, *stack.tree,
                       stack.node, stack.is_new ? new_origins_ : old_origins_, lines);
  }

  // What the change of a stack is made of, the weight already said.
  std::string details(const Change& change) const {
    if (view_ == View::kTemporary) {
      return format_count(change.before.blocks) + arrow() +
             format_count_of(change.after.blocks, "block") + ", " +
             format_bytes(change.before.bytes) + arrow() + format_bytes(change.after.bytes);
    }
    return format_bytes(change.before.bytes) + arrow() + format_bytes(change.after.bytes) +
           format_bytes_error(change.variance().bytes, terminal_.unicode) + " in " +
           format_count(change.before.blocks) + arrow() +
           format_count_of(change.after.blocks, "block");
  }

  void print_rest(size_t shown, size_t changed) {
    const auto& stacks = diff_.stacks();
    Change grew, shrank;
    size_t grown = 0, shrunk = 0;
    for (size_t i = shown; i < changed; ++i) {
      const bool up = stacks[i].change.delta_weight(view_) > 0;
      Change& sum = up ? grew : shrank;
      ++(up ? grown : shrunk);
      sum.before += stacks[i].change.before;
      sum.after += stacks[i].change.after;
    }
    const char* before = "\nStacks: ";
    const auto add = [&](size_t count, const std::string& what, bool hidden) {
      if (count == 0) return;
      out_ << before << format_count(count) << what
           << (hidden ? terminal_.paint(Paint::kDim, "  (-n 0 shows all that changed)") : "")
           << '\n';
      before = "        ";
    };
    add(grown, " more grew by " + weight_change(grew).substr(1), true);
    add(shrunk, " more shrank by " + weight_change(shrank).substr(1), grown == 0);
    add(stacks.size() - changed, " did not change", false);
  }

  std::ostream& out_;
  const Terminal& terminal_;
  const reader::CaptureInfo& old_info_;
  const reader::CaptureInfo& new_info_;
  const View view_;
  const StackDiff& diff_;
  const CodeOrigins& old_origins_;
  const CodeOrigins& new_origins_;
};

}  // namespace

void print_diff_report(std::ostream& out, const Terminal& terminal,
                       const reader::CaptureInfo& old_info, const reader::CaptureInfo& new_info,
                       View view, const StackDiff& diff, const CodeOrigins& old_origins,
                       const CodeOrigins& new_origins, const StackReportLimits& limits) {
  DiffPrinter(out, terminal, old_info, new_info, view, diff, old_origins, new_origins)
      .print(limits);
}

}  // namespace memlens::report

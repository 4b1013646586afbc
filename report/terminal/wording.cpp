#include "report/terminal/wording.h"

#include <algorithm>
#include <functional>
#include <map>
#include <span>

#include "reader/text/columns.h"
#include "reader/text/units.h"
#include "report/text/shell_word.h"

namespace memlens::report {
namespace {

constexpr size_t kListedFunctions = 2;

}  // namespace

std::string view_title(View view) {
  switch (view) {
    case View::kPeak:
      return "Peak";
    case View::kLeaks:
      return "Still allocated";
    case View::kTemporary:
      return "Temporary";
    case View::kAllocations:
      break;
  }
  return "Allocated in all";
}

std::string view_amount(View view, const reader::Totals& totals, const reader::CaptureInfo& info,
                        const Terminal& terminal) {
  const reader::Tally tally = total_of(totals, view);
  const std::string bytes =
      format_bytes(tally.bytes) + format_bytes_error(tally.variance.bytes, terminal.unicode);
  const std::string in_blocks = bytes + " in " + format_count_of(tally.blocks, "block");
  switch (view) {
    case View::kPeak:
      return in_blocks + ", at " + format_seconds(totals.peak_seconds) + " of " +
             format_seconds(info.duration_seconds);
    case View::kLeaks:
      // Processes that lived one after another were never alive together.
      if (tally.bytes > totals.peak_bytes && info.processes.size() > 1) {
        return in_blocks + ": adds what each process held when it ended";
      }
      return in_blocks + (info.running ? " so far" : " at the end");
    case View::kTemporary:
      return format_count(tally.blocks) +
             format_count_error(tally.variance.blocks, terminal.unicode) + " of " +
             format_count_of(totals.allocations, "allocation") + " (" +
             format_share(tally.blocks, totals.allocations) + "), " + bytes;
    case View::kAllocations:
      break;
  }
  return bytes + " by " + format_count_of(tally.blocks, "allocation") + ", " +
         format_count_of(totals.frees, "free");
}

std::string command_text(const std::vector<std::string>& command) {
  // Servers write their title over the arguments, and leave zeros where those went on.
  size_t count = command.size();
  while (count > 1 && command[count - 1].empty()) --count;
  std::string text;
  for (const std::string& argument : std::span(command).first(count))
    text += (text.empty() ? "" : " ") + shell_word(argument);
  return printable(text);
}

std::string capture_heading(const reader::CaptureInfo& info, const Terminal& terminal) {
  const std::string dot = terminal.unicode ? " · " : " - ";
  std::string facts;
  if (info.python) facts += dot + "Python " + printable(*info.python);
  facts += dot + format_seconds(info.duration_seconds);
  facts += dot + format_count(info.processes.size()) +
           (info.processes.size() == 1 ? " process, " : " processes, ") +
           format_count_of(info.threads.size(), "thread");
  if (info.sample_bytes != 0) {
    facts += dot + std::string("sampled, 1 per ") + format_interval(info.sample_bytes);
  }
  // What was run may only have started what is recorded.
  const bool itself_left_out =
      std::ranges::any_of(info.diagnostics, [](const reader::Diagnostic& each) {
        return each.process_index == 0 && each.code == format::DiagnosticCode::kUntrackedChild;
      });
  if (itself_left_out && !info.processes.empty()) facts += dot + "its children only";
  if (!info.complete) facts += dot + (info.running ? "still running" : "ended early");
  if (info.complete && info.has_gaps) facts += dot + std::string("incomplete");
  const size_t room = terminal.columns - std::min(terminal.columns, column_count(facts));
  std::vector<std::string> arguments = info.command;
  if (!arguments.empty()) arguments[0].erase(0, arguments[0].rfind('/') + 1);
  const std::string command =
      cut_end(command_text(arguments), std::max<size_t>(room, 12), terminal.unicode);
  return terminal.paint(Paint::kBold, command) + facts;
}

std::string allocating_functions(const Stack& stack, View view, const reader::HeapTable& heaps) {
  std::map<format::AllocationKind, reader::Tally> by_kind;
  for (const StackPart& part : stack.parts) {
    by_kind[part.kind].bytes += part.tally.bytes;
    by_kind[part.kind].blocks += part.tally.blocks;
  }
  std::vector<std::pair<format::AllocationKind, reader::Tally>> kinds(by_kind.begin(),
                                                                      by_kind.end());
  std::ranges::stable_sort(kinds, std::greater{},
                           [&](const auto& kind) { return weight_of(kind.second, view); });
  std::string text;
  for (size_t i = 0; i < kinds.size() && i < kListedFunctions; ++i) {
    const auto& [kind, tally] = kinds[i];
    if (i > 0) text += ", ";
    text += printable(heaps.function_name(kind));
    if (kinds.size() > 1) text += " " + format_bytes(tally.bytes);
  }
  if (kinds.size() > kListedFunctions) text += ", ...";
  return text;
}

Paint paint_of_share(uint64_t part, uint64_t whole) {
  if (whole == 0) return Paint::kPlain;
  const double share = static_cast<double>(part) / static_cast<double>(whole);
  return share >= 0.25 ? Paint::kHot : share >= 0.05 ? Paint::kWarm : Paint::kPlain;
}

}  // namespace memlens::report

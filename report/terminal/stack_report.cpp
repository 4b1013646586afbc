#include "report/terminal/stack_report.h"

#include <algorithm>
#include <set>

#include "reader/text/columns.h"
#include "reader/text/units.h"
#include "report/terminal/table.h"
#include "report/terminal/wording.h"
#include "report/text/short_function.h"
#include "report/text/short_path.h"
#include "report/view/folded_stack.h"
#include "report/view/responsible.h"

namespace memlens::report {
namespace {

const reader::ProcessInfo* find_process(const reader::CaptureInfo& info, uint32_t index) {
  const auto process = std::ranges::find(info.processes, index, &reader::ProcessInfo::index);
  return process == info.processes.end() ? nullptr : &*process;
}

std::string thread_text(const reader::CaptureInfo& info, uint32_t process_index,
                        uint32_t thread_index) {
  for (const reader::ThreadInfo& thread : info.threads) {
    if (thread.process_index == process_index && thread.index == thread_index) {
      const std::string name = thread.name.empty() ? "" : " " + printable(thread.name);
      return "thread " + std::to_string(thread.tid) + name;
    }
  }
  return "an unknown thread";
}

// "in process 4711, thread 4712 worker"; "in 4 threads of 2 processes"; empty when there is no
// doubt.
std::string where_text(const Stack& stack, const reader::CaptureInfo& info) {
  std::set<uint32_t> processes;
  std::set<std::pair<uint32_t, uint32_t>> threads;
  for (const StackPart& part : stack.parts) {
    processes.insert(part.process_index);
    threads.emplace(part.process_index, part.thread_index);
  }
  std::string text;
  if (processes.size() > 1) {
    text = format_count(processes.size()) + " processes";
  } else if (info.processes.size() > 1) {
    const reader::ProcessInfo* process = find_process(info, *processes.begin());
    text = "process " + (process != nullptr ? std::to_string(process->pid) : std::string("?"));
  }
  if (info.threads.size() > info.processes.size()) {
    if (!text.empty()) text += ", ";
    text += threads.size() == 1 ? thread_text(info, stack.process_index, stack.thread_index)
                                : format_count(threads.size()) + " threads";
  }
  return text.empty() ? text : "  in " + text;
}

void print_heading_of_stack(std::ostream& out, const Terminal& terminal,
                            const reader::CaptureInfo& info, View view, const Stack& stack,
                            const reader::Tally& total, size_t number) {
  const std::string rank = entry_number(number);
  const uint64_t weight = weight_of(stack.tally, view);
  const uint64_t whole = weight_of(total, view);
  const std::string amounts = format_bytes(stack.tally.bytes) +
                              format_bytes_error(stack.tally.variance.bytes, terminal.unicode) +
                              " in " + format_count_of(stack.tally.blocks, "block");
  const std::string share = format_share(weight, whole);
  const size_t taken = rank.size() + share.size() + amounts.size() + 4;
  const std::string details =
      cut_end("via " + allocating_functions(stack, view, info.heaps) + where_text(stack, info),
              terminal.columns - std::min(taken, terminal.columns), terminal.unicode);
  out << rank << terminal.paint(paint_of_share(weight, whole), share) << "  "
      << terminal.paint(Paint::kBold, amounts) << "  " << terminal.paint(Paint::kDim, details)
      << '\n';
}

}  // namespace

void print_stack_frames(std::ostream& out, const Terminal& terminal,
                        const reader::CaptureInfo& info, const FrameTree& tree,
                        FrameTree::NodeId leaf, const CodeOrigins& origins, size_t max_lines) {
  const reader::Frame* responsible = &tree.frame(responsible_node(tree, leaf, origins));
  Table table({{},
               {.cut = Cut::kEnd, .min_columns = 24},
               {.cut = Cut::kFolders, .min_columns = 26},
               {.cut = Cut::kEnd, .min_columns = 16}});
  for (const StackLine& line : fold_stack(tree, leaf, origins, max_lines)) {
    if (line.frame == nullptr) {
      table.add_row({{},
                     {(terminal.unicode ? "⋮ " : ": ") + line.remark, Paint::kDim},
                     {line.place, Paint::kDim}});
      continue;
    }
    const bool is_responsible = line.frame == responsible;
    table.add_row({is_responsible ? (terminal.unicode ? "▸" : ">") : " ",
                   {short_function(line.frame->function, terminal.unicode),
                    is_responsible ? Paint::kBold : Paint::kPlain},
                   place_of(*line.frame, info.working_directory),
                   {printable(line.frame->source), Paint::kDim}});
  }
  table.print(out, terminal, kEntryIndent);
}

void print_stack_report(std::ostream& out, const Terminal& terminal,
                        const reader::CaptureInfo& info, const reader::Totals& totals, View view,
                        const StackList& list, const FrameTree& tree, const CodeOrigins& origins,
                        const StackReportLimits& limits) {
  out << capture_heading(info, terminal) << '\n'
      << terminal.paint(Paint::kBold,
                        view_title(view) + ": " + view_amount(view, totals, info, terminal))
      << '\n';
  const auto& stacks = list.stacks();
  const size_t shown = limits.stacks == 0 ? stacks.size() : std::min(limits.stacks, stacks.size());
  for (size_t i = 0; i < shown; ++i) {
    out << '\n';
    print_heading_of_stack(out, terminal, info, view, stacks[i], list.total(), i + 1);
    print_stack_frames(out, terminal, info, tree, stacks[i].node, origins, limits.lines_per_stack);
  }
  if (shown == stacks.size()) return;
  reader::Tally rest;
  for (size_t i = shown; i < stacks.size(); ++i) {
    rest.bytes += stacks[i].tally.bytes;
    rest.blocks += stacks[i].tally.blocks;
  }
  out << '\n'
      << format_count(stacks.size() - shown) << (shown > 0 ? " more" : "")
      << (stacks.size() - shown == 1 ? " stack: " : " stacks: ")
      << format_share(weight_of(rest, view), weight_of(list.total(), view)) << ", "
      << format_bytes(rest.bytes) << " in " << format_count_of(rest.blocks, "block")
      << terminal.paint(Paint::kDim, "  (-n 0 shows all)") << '\n';
}

}  // namespace memlens::report

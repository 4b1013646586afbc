// memlens peak, leaks, temporary, allocations: the stacks of one view.
#include <unistd.h>

#include <iostream>
#include <memory>

#include "report/cli/command.h"
#include "report/cli/report_options.h"
#include "report/json/stacks_json.h"
#include "report/terminal/stack_report.h"

namespace memlens::report::cli {
namespace {

struct StacksOptions : ReportOptions {
  StackListOptions shown;
  bool json = false;
};

int print_stacks(View view, StacksOptions& options) {
  const reader::Capture capture = open_capture(options);
  const reader::Analysis analysis = analyze(options, capture, options.query);
  FrameTree tree;
  const Grouping grouping = options.json ? Grouping::kByThread : Grouping::kByFrames;
  const StackList list(analysis.sites, view, grouping, shown_frames(options, capture), tree);
  if (options.json) {
    write_stacks_json(std::cout, capture.info(), analysis.left_out, view, list, tree,
                      options.shown.count.value_or(0));
    return 0;
  }
  const StackReportLimits limits{options.shown.count.value_or(StackReportLimits{}.stacks),
                                 options.shown.lines_per_stack};
  print_stack_report(std::cout, detect_terminal(STDOUT_FILENO), capture.info(), analysis.totals,
                     view, list, tree, code_origins(options, capture), limits);
  return 0;
}

void add_stacks_command(CLI::App& app, Action& chosen, View view, const std::string& description,
                        const std::string& explanation) {
  auto options = std::make_shared<StacksOptions>();
  const std::string name(view_name(view));
  CLI::App* command = app.add_subcommand(name, description);
  command->footer(explanation +
                  "\n\nExamples:\n"
                  "  memlens " +
                  name +
                  " app.mlens            the ten heaviest stacks\n"
                  "  memlens " +
                  name +
                  " app.mlens -n 3       the three heaviest\n"
                  "  memlens " +
                  name + " app.mlens --json     every stack, for programs");
  add_report_options(*command, *options);
  // Only this view depends on it.
  if (view == View::kTemporary) add_threshold_option(*command, *options);
  add_stack_list_options(*command, options->shown,
                         "Only the N heaviest stacks; 0: all (default: 10)");
  add_json_option(*command, options->json);
  command->callback([view, options, &chosen] {
    chosen = [view, options] { return print_stacks(view, *options); };
  });
}

}  // namespace

void add_stacks_commands(CLI::App& app, Action& chosen) {
  add_stacks_command(app, chosen, View::kPeak, "Stacks alive at the peak, the largest first",
                     "The peak is the moment at which the program's blocks took the most bytes. A "
                     "mark\nshows the innermost line of the program's own code.");
  add_stacks_command(app, chosen, View::kLeaks,
                     "Stacks still allocated at the end, the largest first",
                     "Still allocated is what was never freed; of Python programs, before the "
                     "interpreter\nbegan to shut down (--at-exit: after). A cache is there as well "
                     "as a leak.");
  add_stacks_command(
      app, chosen, View::kTemporary,
      "Stacks whose blocks are freed at once, the most frequent first",
      "A block is temporary when its thread makes fewer than K further allocations "
      "before\nit is freed: with K = 1 (--threshold) it allocates nothing meanwhile, with K = 100 "
      "up to\n99 blocks, as a buffer sees that lives for one pass of a loop. Such blocks cost time "
      "rather\nthan memory: reuse a buffer, or reserve.");
  add_stacks_command(app, chosen, View::kAllocations,
                     "Everything ever allocated, the largest first",
                     "Every block counts, freed or not.");
}

}  // namespace memlens::report::cli

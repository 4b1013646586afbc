// memlens growing
#include <unistd.h>

#include <iostream>
#include <memory>

#include "report/cli/command.h"
#include "report/cli/report_options.h"
#include "report/json/growing_json.h"
#include "report/terminal/growing_report.h"

namespace memlens::report::cli {
namespace {

// Enough to tell a trend from a phase, and few enough to be read in a line.
constexpr uint32_t kMarks = 10;

struct GrowingOptions : ReportOptions {
  StackListOptions shown;
  bool json = false;
};

int print_growing(GrowingOptions& options) {
  const reader::Capture capture = open_capture(options);
  options.query.growth_marks = kMarks;
  const reader::Analysis analysis = reader::analyze(capture, options.query);
  FrameTree tree;
  const std::vector<GrowingStack> stacks =
      find_growing(analysis, shown_frames(options, capture), tree);
  const std::vector<double>& marks = analysis.growth->seconds;
  if (options.json) {
    write_growing_json(std::cout, capture.info(), marks, stacks, tree,
                       options.shown.count.value_or(0));
    return 0;
  }
  const StackReportLimits limits{options.shown.count.value_or(StackReportLimits{}.stacks),
                                 options.shown.lines_per_stack};
  print_growing_report(std::cout, detect_terminal(STDOUT_FILENO), capture.info(), marks, stacks,
                       tree, code_origins(options, capture), limits);
  return 0;
}

}  // namespace

void add_growing_command(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<GrowingOptions>();
  CLI::App* command =
      app.add_subcommand("growing", "Stacks that have more allocated from mark to mark");
  command->footer(
      "Ten marks part the recording evenly. A stack is listed when what it has still allocated\n"
      "rises in most steps, goes on rising at the end, and never falls by much: a leak does, a\n"
      "cache that is full does not. Of samples, what may be chance is no rise.\n\n"
      "Examples:\n"
      "  memlens growing app.mlens\n"
      "  memlens growing app.mlens --from 600     once the program has warmed up\n"
      "  memlens growing app.mlens --json         every stack with its bytes at the marks");
  add_report_options(*command, *options);
  add_stack_list_options(*command, options->shown,
                         "Only the N that gained most; 0: all (default: 10)");
  add_json_option(*command, options->json);
  command->callback([options, &chosen] { chosen = [options] { return print_growing(*options); }; });
}

}  // namespace memlens::report::cli

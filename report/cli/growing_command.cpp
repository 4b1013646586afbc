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

struct GrowingOptions : ReportOptions {
  StackListOptions shown;
  bool json = false;
};

int print_growing(GrowingOptions& options) {
  const reader::Capture capture = open_capture(options);
  options.query.growth_marks = kGrowthMarks;
  const reader::Analysis analysis = analyze(options, capture, options.query);
  const CodeOrigins origins = code_origins(options, capture);
  FrameTree tree;
  const Growing growing = find_growing(analysis, shown_frames(options, capture), tree, origins);
  if (options.json) {
    write_growing_json(std::cout, capture.info(), analysis.left_out, *analysis.growth, growing,
                       tree, options.shown.count.value_or(0));
    return 0;
  }
  const StackReportLimits limits{options.shown.count.value_or(StackReportLimits{}.stacks),
                                 options.shown.lines_per_stack};
  print_growing_report(std::cout, detect_terminal(STDOUT_FILENO), capture.info(), *analysis.growth,
                       growing, tree, origins, limits);
  return 0;
}

}  // namespace

void add_growing_command(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<GrowingOptions>();
  CLI::App* command = app.add_subcommand("growing", "Lines whose memory rises from mark to mark");
  command->footer(
      "Twenty marks part the recording evenly. What every stack has still allocated at them is\n"
      "summed up by the line responsible for it. A line that goes on rising to the end may be a\n"
      "leak; one that has levelled off is a cache, one that had all of it in the first part is\n"
      "start-up. What a process held ends with it; where a program frees most of it before it "
      "ends, the\n"
      "marks end before that. Of samples, what may be chance is no rise.\n\n"
      "Examples:\n"
      "  memlens growing app.mlens\n"
      "  memlens growing app.mlens --from 600     once the program has warmed up\n"
      "  memlens growing app.mlens --json         every line and stack with its bytes at the "
      "marks");
  add_report_options(*command, *options);
  add_stack_list_options(*command, options->shown,
                         "Only the N lines that gained most; 0: all (default: 10)");
  add_json_option(*command, options->json);
  command->callback([options, &chosen] { chosen = [options] { return print_growing(*options); }; });
}

}  // namespace memlens::report::cli

// memlens summary
#include <unistd.h>

#include <iostream>
#include <memory>

#include "report/cli/command.h"
#include "report/cli/report_options.h"
#include "report/explain/answers.h"
#include "report/json/summary_json.h"
#include "report/terminal/summary_report.h"

namespace memlens::report::cli {
namespace {

struct SummaryOptions : ReportOptions {
  size_t locations = 5;
  bool json = false;
};

int print_summary(SummaryOptions& options) {
  const reader::Capture capture = open_capture(options);
  const reader::Analysis analysis = analyze(options, capture, answers_query(options.query));
  const Answers answers =
      find_answers(capture, analysis, options.query, shown_frames(options, capture),
                   code_origins(options, capture));
  const Summary summary{capture.info(), analysis, answers, sum_tasks(capture, analysis.sites),
                        capture.allocator_samples()};
  if (options.json) {
    write_summary_json(std::cout, summary, options.locations);
  } else {
    print_summary_report(std::cout, detect_terminal(STDOUT_FILENO), summary, options.locations);
  }
  return 0;
}

}  // namespace

void add_summary_command(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<SummaryOptions>();
  CLI::App* command = app.add_subcommand("summary", "Totals, the peak, and the lines that matter");
  command->footer(
      "Each stack counts at the innermost line of the program's own code: what `import x` or\n"
      "`json.loads` allocate is the line's that calls them. The project is the folder the program\n"
      "was started in and those of its scripts, without what is installed there (--project,\n"
      "--own).\n\n"
      "Examples:\n"
      "  memlens summary app.mlens\n"
      "  memlens summary app.mlens --from 2 --to 3.5    only what happened in between\n"
      "  memlens summary app.mlens --json | jq .peak_bytes");
  add_report_options(*command, *options);
  add_threshold_option(*command, *options);
  add_count_option(*command, options->locations, "Lines of source listed of each view; 0: all");
  add_json_option(*command, options->json);
  command->callback([options, &chosen] { chosen = [options] { return print_summary(*options); }; });
}

}  // namespace memlens::report::cli

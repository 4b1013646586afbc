// memlens explain
#include <unistd.h>

#include <iostream>
#include <memory>

#include "report/cli/command.h"
#include "report/cli/report_options.h"
#include "report/explain/answers.h"
#include "report/json/explain_json.h"
#include "report/terminal/explain_report.h"

namespace memlens::report::cli {
namespace {

struct ExplainOptions : ReportOptions {
  bool json = false;
  bool markdown = false;
};

int explain(ExplainOptions& options) {
  const reader::Capture capture = open_capture(options);
  const reader::Analysis analysis = analyze(options, capture, answers_query(options.query));
  const Answers answers =
      find_answers(capture, analysis, options.query, shown_frames(options, capture),
                   code_origins(options, capture));
  if (options.json) {
    write_explain_json(std::cout, capture.info(), answers.findings);
  } else if (options.markdown) {
    print_explain_markdown(std::cout, capture.info(), answers.findings);
  } else {
    print_explain_report(std::cout, detect_terminal(STDOUT_FILENO), capture.info(),
                         answers.findings);
  }
  return 0;
}

}  // namespace

void add_explain_command(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* command = app.add_subcommand("explain", "What happened, in sentences");
  command->footer(
      "The most important first: what ended the program, what leaks, what costs time, what RSS "
      "has\n"
      "that no block explains, what made the peak. Each sentence has its number and its place, "
      "and\n"
      "says whether it is measured, likely or possible. What the capture does not carry is not "
      "said.\n\n"
      "Examples:\n"
      "  memlens explain app.mlens\n"
      "  memlens explain app.mlens --markdown    for a ticket\n"
      "  memlens explain app.mlens --json | jq -r '.findings[0].text'");
  add_report_options(*command, *options);
  CLI::Option* json =
      command->add_flag("--json", options->json, "JSON on standard output, for programs");
  command->add_flag("--markdown", options->markdown, "Markdown on standard output")->excludes(json);
  command->callback([options, &chosen] { chosen = [options] { return explain(*options); }; });
}

}  // namespace memlens::report::cli

// memlens tree
#include <unistd.h>

#include <iostream>
#include <memory>

#include "report/cli/command.h"
#include "report/cli/report_options.h"
#include "report/terminal/tree_report.h"
#include "report/view/responsible.h"

namespace memlens::report::cli {
namespace {

struct TreeOptions : ReportOptions {
  View view = View::kPeak;
  bool all_frames = false;
  double min_percent = TreeLimits{}.min_share * 100;
  size_t lines_per_chain = TreeLimits{}.lines_per_chain;
};

int print_tree(TreeOptions& options) {
  const reader::Capture capture = open_capture(options);
  const reader::Analysis analysis = analyze(options, capture, options.query);
  FrameTree frames;
  FramesOf frames_of = shown_frames(options, capture);
  if (!options.all_frames) frames_of = without_machinery(frames_of);
  const StackList list(analysis.sites, options.view, Grouping::kByFrames, frames_of, frames);
  const CallTree tree(list, frames, options.view);
  print_tree_report(std::cout, detect_terminal(STDOUT_FILENO), capture.info(), analysis.totals,
                    options.view, tree, {options.min_percent / 100, options.lines_per_chain});
  return 0;
}

}  // namespace

void add_tree_command(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<TreeOptions>();
  CLI::App* command = app.add_subcommand("tree", "The call tree of a view, from the root");
  command->footer(
      "Calls that lead to one place only are one run of lines, shortened in the middle. Others "
      "that\n"
      "together are below a tenth of --min-percent are not listed; every total contains them.\n\n"
      "Examples:\n"
      "  memlens tree app.mlens\n"
      "  memlens tree app.mlens --view leaks --min-percent 5\n"
      "  memlens tree app.mlens --run-lines 0    every frame");
  add_report_options(*command, *options);
  add_threshold_option(*command, *options);
  add_view_option(*command, options->view, "What is counted (default: peak)");
  command->add_flag("--all-frames", options->all_frames,
                    "Show also the import system and the insides of the C++ library");
  command
      ->add_option("--min-percent", options->min_percent,
                   "Branches below this become one line of others")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str()
      ->option_text("P");
  command
      ->add_option("--run-lines", options->lines_per_chain,
                   "Lines shown of a run of single calls; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->option_text("N");
  command->callback([options, &chosen] { chosen = [options] { return print_tree(*options); }; });
}

}  // namespace memlens::report::cli

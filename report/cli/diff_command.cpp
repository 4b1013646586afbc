// memlens diff
#include <unistd.h>

#include <future>
#include <iostream>
#include <memory>

#include "report/cli/answer_commands.h"
#include "report/cli/option_groups.h"
#include "report/cli/report_file.h"
#include "report/cli/report_options.h"
#include "report/html/diff_page_builder.h"
#include "report/html/page_budget.h"
#include "report/html/page_writer.h"
#include "report/json/diff_json.h"
#include "report/terminal/diff_report.h"

namespace memlens::report::cli {
namespace {

struct DiffOptions {
  std::string old_path;
  std::string new_path;
  ReportOptions common;  // but for the capture
  View view = View::kPeak;
  StackListOptions shown;
  bool json = false;
  std::string html_path;  // a page instead of text
  bool force = false;
};

constexpr size_t kNodeBudget = 40'000;  // as `memlens flamegraph`

// One of the two captures, opened and read.
struct DiffCapture {
  DiffCapture(const ReportOptions& common, const std::string& path)
      : options(common), capture(open(options, path)) {}

  static reader::Capture open(ReportOptions& options, const std::string& path) {
    options.capture_path = path;
    return open_capture(options);
  }
  void start_analysis() {
    pending =
        std::async(std::launch::async, [this] { return analyze(options, capture, options.query); });
  }

  ReportOptions options;
  reader::Capture capture;
  std::future<reader::Analysis> pending;
};

int print_diff(const DiffOptions& options) {
  if (!options.html_path.empty()) check_report_file(options.html_path, options.force);
  DiffCapture before(options.common, options.old_path);
  DiffCapture after(options.common, options.new_path);
  before.start_analysis();
  const reader::Analysis new_analysis = analyze(after.options, after.capture, after.options.query);
  const reader::Analysis old_analysis = before.pending.get();

  // Native frames that one of the two lacks would make every stack a different one.
  const bool native = options.common.native.value_or(before.capture.info().native_stacks &&
                                                     after.capture.info().native_stacks);
  before.options.native = after.options.native = native;
  if (!options.html_path.empty()) {
    html::PageOptions page_options;
    page_options.native = native;
    page_options.by_task = options.common.tasks != reader::TaskFrames::kHidden;
    page_options.first_view = options.view;
    html::PageModel page = html::build_diff_page({before.capture, old_analysis},
                                                 {after.capture, new_analysis}, page_options);
    html::fit_budget(page, kNodeBudget);
    write_report_file(options.html_path, [&](std::ostream& out) { html::write_page(page, out); });
    std::cout << options.html_path << "\n";
    return 0;
  }
  const FramesOf old_frames = shown_frames(before.options, before.capture);
  const FramesOf new_frames = shown_frames(after.options, after.capture);
  const reader::CaptureInfo& old_info = before.capture.info();
  const reader::CaptureInfo& new_info = after.capture.info();
  const CodeOrigins old_origins = code_origins(before.options, before.capture);
  const CodeOrigins new_origins = code_origins(after.options, after.capture);
  const StackDiff diff({old_analysis.sites, old_frames, old_origins, old_info.working_directory},
                       {new_analysis.sites, new_frames, new_origins, new_info.working_directory},
                       options.view);
  if (options.json) {
    write_diff_json(std::cout, old_info, new_info, options.view, diff,
                    options.shown.count.value_or(0));
    return 0;
  }
  const StackReportLimits limits{options.shown.count.value_or(StackReportLimits{}.stacks),
                                 options.shown.lines_per_stack};
  print_diff_report(std::cout, detect_terminal(STDOUT_FILENO), old_info, new_info, options.view,
                    diff, old_origins, new_origins, limits);
  return 0;
}

}  // namespace

void add_diff_command(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<DiffOptions>();
  CLI::App* command = app.add_subcommand("diff", "What changed from one capture to another");
  command->footer(
      "Stacks are matched by function and file, not by line, so that an edit above does not make "
      "a\n"
      "stack new; the captures may be of different builds and machines. The largest change comes\n"
      "first, up or down; the sums over the stacks are both captures' totals.\n\n"
      "Examples:\n"
      "  memlens diff old.mlens new.mlens                 at the peak\n"
      "  memlens diff old.mlens new.mlens --view leaks    still allocated\n"
      "  memlens diff old.mlens new.mlens --html d.html   as a page\n"
      "  memlens diff old.mlens new.mlens --json          every stack, for programs");
  command->add_option("OLD", options->old_path, "The capture to compare with")
      ->required()
      ->option_text(" ");
  command->add_option("NEW", options->new_path, "The capture that is compared")
      ->required()
      ->option_text(" ");
  add_view_option(*command, options->view, "What is compared (default: peak)");
  add_stack_list_options(*command, options->shown,
                         "Only the N that changed most; 0: all (default: 10)");
  add_range_options(*command, options->common);
  add_frame_options(*command, options->common);
  add_threshold_option(*command, options->common);
  add_json_option(*command, options->json);
  command
      ->add_option("--html", options->html_path,
                   "Write a page instead: a flame graph of both, red where more, blue where less")
      ->option_text("FILE.html");
  command->add_flag("-f,--force", options->force, "Overwrite the page if it exists");
  command->callback([options, &chosen] { chosen = [options] { return print_diff(*options); }; });
}

}  // namespace memlens::report::cli

// `memlens flamegraph`: one self-contained HTML page with every view.

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "reader/text/columns.h"
#include "report/cli/command.h"
#include "report/cli/report_file.h"
#include "report/cli/report_options.h"
#include "report/explain/answers.h"
#include "report/html/page_budget.h"
#include "report/html/page_builder.h"
#include "report/html/page_writer.h"

namespace memlens::report::cli {
namespace {

// Time is cut into this many buckets at most: a range can be that fine.
constexpr uint32_t kRangeBuckets = 256;
constexpr size_t kDefaultNodeBudget = 40'000;

struct FlamegraphOptions {
  ReportOptions report;
  std::string output_path;
  bool force = false;
  size_t node_budget = kDefaultNodeBudget;
  html::PageOptions page;
};

std::string default_output_path(const std::string& capture_path) {
  std::filesystem::path path(capture_path);
  if (path.extension() == ".mlens") return path.replace_extension(".html").string();
  return capture_path + ".html";
}

std::vector<html::PageSentence> first_sentences(const ReportOptions& options,
                                                const reader::Capture& capture,
                                                const reader::Analysis& analysis) {
  const Answers answers =
      find_answers(capture, analysis, options.query, shown_frames(options, capture),
                   code_origins(options, capture));
  std::vector<html::PageSentence> sentences;
  for (const Finding& finding : answers.findings) {
    if (sentences.size() == kFirstFindings) break;
    sentences.push_back(
        {finding_title(finding), std::string(severity_name(finding.severity)), finding.text});
  }
  return sentences;
}

int write_flamegraph(FlamegraphOptions& options) {
  std::string path = options.output_path;
  if (path.empty()) path = default_output_path(options.report.capture_path);
  check_report_file(path, options.force);
  const reader::Capture capture = open_capture(options.report);
  reader::Query query = answers_query(options.report.query);
  query.range_buckets = kRangeBuckets;
  const reader::Analysis analysis = analyze(options.report, capture, query);

  options.page.query = options.report.query;
  options.page.native = shows_native(options.report, capture);
  options.page.by_task = options.report.tasks != reader::TaskFrames::kHidden;
  options.page.own_code = options.report.own_code;
  options.page.sentences = first_sentences(options.report, capture, analysis);
  html::PageModel page = html::build_page(capture, analysis, options.page);
  html::fit_budget(page, options.node_budget);
  write_report_file(path, [&](std::ostream& out) { html::write_page(page, out); });
  // Whole, for scripts; a terminal is not to be given orders by a name.
  std::cout << (isatty(STDOUT_FILENO) != 0 ? printable(path) : path) << "\n";
  return 0;
}

}  // namespace

void add_flamegraph_command(CLI::App& app, Action& chosen) {
  CLI::App& command = *app.add_subcommand("flamegraph", "Write one HTML file with every view");
  auto options = std::make_shared<FlamegraphOptions>();
  add_report_options(command, options->report);
  add_threshold_option(command, options->report);
  command
      .add_option("-o,--output", options->output_path,
                  "Where to write (default: beside the capture, as .html)")
      ->option_text("FILE.html");
  command.add_flag("-f,--force", options->force, "Overwrite the file if it exists");
  add_view_option(command, options->page.first_view, "The view shown first (default: peak)");
  command
      .add_option("--budget", options->node_budget,
                  "Bars to keep at most; smaller ones are merged, their sums kept")
      ->check(CLI::Range(size_t{100}, size_t{5'000'000}))
      ->capture_default_str()
      ->option_text("N");
  command.add_flag("--redact", options->page.redact,
                   "Leave out paths above the project, arguments and source text");
  command.callback(
      [options, &chosen] { chosen = [options] { return write_flamegraph(*options); }; });
}

}  // namespace memlens::report::cli

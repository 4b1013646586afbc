// memlens check
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>

#include "report/cli/answer_commands.h"
#include "report/cli/report_file.h"
#include "report/cli/report_options.h"
#include "report/cli/text_file.h"
#include "report/exports/check_formats.h"
#include "report/json/baseline_json.h"
#include "report/json/check_json.h"
#include "report/terminal/check_report.h"
#include "report/text/size_text.h"
#include "report/view/check.h"

namespace memlens::report::cli {
namespace {

constexpr int kLimitExceeded = 3;

struct CheckOptions : ReportOptions {
  CheckLimits limits;
  std::string baseline_path;
  std::string write_baseline_path;
  std::string suppressions_path;
  std::string format = "text";
  std::string output_path;
};

struct CheckedCapture {
  CheckFacts facts;
  CheckGrowth growth;
  std::vector<Suppression> suppressions;
};

CheckedCapture examine(const ReportOptions& options, const reader::Capture& capture,
                       std::vector<Suppression> suppressions, bool with_growth) {
  reader::Query query = options.query;
  if (with_growth) query.growth_marks = kGrowthMarks;
  const reader::Analysis analysis = analyze(options, capture, query);
  const FramesOf frames_of = shown_frames(options, capture);
  const CodeOrigins origins = code_origins(options, capture);
  FrameTree tree;
  std::vector<StackSums> stacks = sum_stacks(analysis.sites, Grouping::kByFrames, frames_of, tree);
  CheckedCapture checked;
  if (with_growth) {
    FrameTree growing_tree;
    const Growing growing = find_growing(analysis, frames_of, growing_tree, origins);
    checked.growth = find_check_growth(capture.info(), growing, suppressions);
  }
  suppress_leaks(suppressions, tree, stacks);
  checked.facts = find_check_facts(capture.info(), analysis.totals, stacks, tree, origins);
  checked.suppressions = std::move(suppressions);
  return checked;
}

// A capture begins with bytes no JSON can have.
bool is_json(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  char first = 0;
  while (in.get(first) && (first == ' ' || first == '\n' || first == '\t' || first == '\r')) {
  }
  return in && first == '{';
}

CheckFacts read_baseline(const CheckOptions& options,
                         const std::vector<Suppression>& suppressions) {
  // What comes through a pipe can be looked at only once; a capture cannot come through one.
  const std::filesystem::file_status status = std::filesystem::status(options.baseline_path);
  const bool is_pipe = std::filesystem::is_fifo(status);
  if (is_pipe || is_json(options.baseline_path)) {
    return read_baseline_json(read_text_file(options.baseline_path), options.baseline_path);
  }
  ReportOptions old_options = options;
  old_options.capture_path = options.baseline_path;
  const reader::Capture capture = open_capture(old_options);
  return examine(old_options, capture, suppressions, false).facts;
}

void write_formatted(std::ostream& out, const std::string& format, const Terminal& terminal,
                     const CheckResult& result) {
  if (format == "json") return write_check_json(out, result);
  if (format == "junit") return write_junit_xml(out, result);
  if (format == "github") write_github_annotations(out, result);
  print_check_report(out, terminal, result);
}

void append_github_summary(const CheckResult& result) {
  const char* const path = std::getenv("GITHUB_STEP_SUMMARY");
  if (path == nullptr || path[0] == '\0') return;
  std::ofstream out(path, std::ios::app);
  write_github_summary(out, result);
  if (!out.flush()) throw std::runtime_error(std::string(path) + ": cannot be written");
}

int check_capture(CheckOptions& options) {
  std::vector<Suppression> suppressions;
  if (!options.suppressions_path.empty()) {
    suppressions =
        parse_suppressions(read_text_file(options.suppressions_path), options.suppressions_path);
  }
  CheckLimits limits = options.limits;
  if (!options.baseline_path.empty()) limits.baseline = read_baseline(options, suppressions);
  const reader::Capture capture = open_capture(options);
  const CheckedCapture checked =
      examine(options, capture, std::move(suppressions), limits.max_growth.has_value());
  const CheckResult result{options.capture_path,
                           check_limits(limits, checked.facts, checked.growth),
                           checked.suppressions, options.suppressions_path};

  Terminal terminal = detect_terminal(STDOUT_FILENO);
  const bool to_file = !options.output_path.empty() && options.output_path != "-";
  if (to_file) {
    Terminal plain = terminal;
    plain.color = false;
    write_report_file(options.output_path, [&](std::ostream& out) {
      write_formatted(out, options.format, plain, result);
    });
    // A log says what happened, whatever reads the file.
    if (options.format != "text") print_check_report(std::cout, terminal, result);
  } else {
    write_formatted(std::cout, options.format, terminal, result);
  }
  if (options.format == "github") append_github_summary(result);
  if (!options.write_baseline_path.empty()) {
    write_report_file(options.write_baseline_path, [&](std::ostream& out) {
      write_baseline_json(out, capture.info(), checked.facts);
    });
  }
  return result.holds() ? 0 : kLimitExceeded;
}

template <typename Value, typename Parse>
void add_parsed_option(CLI::App& command, const std::string& name, std::optional<Value>& value,
                       Parse parse, const std::string& description, const std::string& text,
                       const std::string& example) {
  command
      .add_option_function<std::string>(
          name,
          [&value, parse, name, example](const std::string& given) {
            value = parse(given);
            if (!value) {
              throw CLI::ValidationError(name, "'" + given + "' is none; write it like " + example);
            }
          },
          description)
      ->option_text(text);
}

void add_limits(CLI::App& command, CheckOptions& options) {
  CheckLimits& limits = options.limits;
  add_parsed_option(command, "--max-peak", limits.max_peak, parse_size, "The peak is no higher",
                    "SIZE", "24MB, 512K or 1.5GiB");
  add_parsed_option(command, "--max-leaked", limits.max_leaked, parse_size,
                    "No more is still allocated at the end", "SIZE", "24MB, 512K or 1.5GiB");
  command.add_option("--max-allocations", limits.max_allocations, "There are no more allocations")
      ->option_text("N");
  add_parsed_option(command, "--max-growth", limits.max_growth, parse_rate,
                    "What keeps growing grows no faster", "SIZE/S", "10K/s or 1MB/min");
  command
      .add_option("--baseline", options.baseline_path,
                  "Peak, still allocated and allocations are no more than this one's")
      ->option_text("CAPTURE|JSON");
  add_parsed_option(command, "--tolerance", limits.tolerance, parse_percent,
                    "... and so much (default: 5%, at least 4 kB and 100 allocations)", "P%", "5%");
  command
      .add_option("--write-baseline", options.write_baseline_path,
                  "Store this capture's numbers for --baseline, as a small JSON")
      ->option_text("FILE");
  command
      .add_option("--suppressions", options.suppressions_path,
                  "Leaks that are accepted, in LeakSanitizer's format: leak:PATTERN")
      ->option_text("FILE");
}

}  // namespace

void add_check_command(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* command = app.add_subcommand("check", "Whether a capture keeps limits, for CI");
  command->footer(
      "Exit code: 0 when every limit holds, 3 when one does not. One line a limit: its name, the\n"
      "limit, the value, and the line of the program's own code that holds most. K, M and G are\n"
      "powers of 1000; Ki, Mi and Gi of 1024.\n\n"
      "Examples:\n"
      "  memlens check app.mlens --max-peak 200MB --max-leaked 1MB\n"
      "  memlens check app.mlens --max-growth 10K/s\n"
      "  memlens check app.mlens --write-baseline memory.json\n"
      "  memlens check app.mlens --baseline memory.json --tolerance 10%\n"
      "  memlens check app.mlens --max-leaked 0 --suppressions leaks.supp\n"
      "  memlens check app.mlens --max-peak 200MB --format junit -o memory.xml");
  add_report_options(*command, *options);
  add_limits(*command, *options);
  command->add_option("--format", options->format, "github: annotations, and the job's summary")
      ->check(CLI::IsMember({"text", "github", "junit", "json"}))
      ->capture_default_str()
      ->option_text("text|github|junit|json");
  command->add_option("-o,--output", options->output_path, "Where to write (default: here)")
      ->option_text("FILE");
  command->callback([options, &chosen] {
    const CheckLimits& limits = options->limits;
    if (!limits.max_peak && !limits.max_leaked && !limits.max_allocations && !limits.max_growth &&
        options->baseline_path.empty() && options->write_baseline_path.empty()) {
      throw CLI::ValidationError(
          "which limit? --max-peak, --max-leaked, --max-allocations, --max-growth or --baseline");
    }
    chosen = [options] { return check_capture(*options); };
  });
}

}  // namespace memlens::report::cli

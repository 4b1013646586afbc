// memlens lines
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>

#include "report/cli/answer_commands.h"
#include "report/cli/report_options.h"
#include "report/json/lines_json.h"
#include "report/terminal/lines_report.h"
#include "report/terminal/profile_report.h"

namespace memlens::report::cli {
namespace {

struct LinesOptions : ReportOptions {
  std::vector<std::string> files;
  std::optional<size_t> count;
  bool json = false;
  bool profiled = false;
};

constexpr size_t kDefaultCount = 20;

std::vector<std::string> read_source(std::string_view file, const std::string& working_directory) {
  std::ifstream in(std::filesystem::path(working_directory) / file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(std::move(line));
  return lines;
}

std::vector<std::string_view> chosen_files(const LinesOptions& options, const FrameTree& tree) {
  std::vector<std::string_view> files;
  for (const std::string& name : options.files) {
    const std::vector<std::string_view> found = find_files(tree, name);
    if (found.empty()) {
      throw std::runtime_error(options.capture_path + ": no stack goes through a file " + name);
    }
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

// The file's lines, if it is still as it was recorded. What a file was like whose lines hold
// nothing is not known; it is taken for the same.
std::vector<std::string> read_unchanged_source(std::string_view file,
                                               std::span<const SourceLine> lines,
                                               const reader::CaptureInfo& info) {
  std::vector<std::string> source = read_source(file, info.working_directory);
  if (source.empty() || is_same_source(lines, source)) return source;
  std::cerr << "memlens: warning: " << file
            << " has changed since it was recorded; only lines stored then are shown\n";
  return {};
}

void print_listings(const reader::CaptureInfo& info,
                    const std::vector<std::vector<SourceLine>>& files) {
  const Terminal terminal = detect_terminal(STDOUT_FILENO);
  for (const std::vector<SourceLine>& lines : files) {
    const std::vector<std::string> source =
        read_unchanged_source(lines.front().frame->file, lines, info);
    print_file_listing(std::cout, terminal, info, lines, source);
  }
}

int print_profiled(const LinesOptions& options, const reader::CaptureInfo& info,
                   const reader::Totals& totals, const std::vector<StackSums>& stacks,
                   const FrameTree& tree) {
  if (info.profiled_functions.empty()) {
    throw std::runtime_error(options.capture_path +
                             ": no function was profiled; @memlens.profile says which are to be");
  }
  std::vector<SourceLine> all;
  for (const reader::ProfiledFunction& function : info.profiled_functions) {
    const std::vector<SourceLine> lines = find_lines_of_function(stacks, tree, function);
    if (options.json) {
      all.insert(all.end(), lines.begin(), lines.end());
    } else {
      print_line_table(std::cout, function, lines,
                       read_unchanged_source(function.file, lines, info));
    }
  }
  if (options.json) write_lines_json(std::cout, info, totals, all);
  return 0;
}

int print_lines(LinesOptions& options) {
  const reader::Capture capture = open_capture(options);
  const reader::Analysis analysis = analyze(options, capture, options.query);
  FrameTree tree;
  const std::vector<StackSums> stacks =
      sum_stacks(analysis.sites, Grouping::kByFrames, shown_frames(options, capture), tree);
  if (options.profiled) {
    return print_profiled(options, capture.info(), analysis.totals, stacks, tree);
  }
  if (options.files.empty()) {
    const std::vector<SourceLine> lines =
        find_source_lines(stacks, tree, code_origins(options, capture));
    if (!options.json) {
      print_lines_report(std::cout, detect_terminal(STDOUT_FILENO), capture.info(), analysis.totals,
                         lines, options.count.value_or(kDefaultCount));
      return 0;
    }
    const size_t count = options.count.value_or(0);
    write_lines_json(
        std::cout, capture.info(), analysis.totals,
        std::span(lines).first(count == 0 ? lines.size() : std::min(count, lines.size())));
    return 0;
  }
  std::vector<std::vector<SourceLine>> files;
  std::vector<SourceLine> all;
  for (const std::string_view file : chosen_files(options, tree)) {
    files.push_back(find_lines_of_file(stacks, tree, file));
    all.insert(all.end(), files.back().begin(), files.back().end());
  }
  if (options.json) {
    write_lines_json(std::cout, capture.info(), analysis.totals, all);
  } else {
    print_listings(capture.info(), files);
  }
  return 0;
}

}  // namespace

void add_lines_command(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<LinesOptions>();
  CLI::App* command = app.add_subcommand("lines", "Source lines and what they hold");
  command->footer(
      "Without files, the lines of the program's own code: each stack counts at one of them, so "
      "the\n"
      "columns add up to the totals. With files, their listings: each stack counts at its "
      "innermost\n"
      "line in the file, so a call holds what everything below it holds.\n\n"
      "Examples:\n"
      "  memlens lines app.mlens                  the heaviest lines\n"
      "  memlens lines app.mlens app.py           all of app.py, as memory_profiler shows it\n"
      "  memlens lines app.mlens --json           every line, for programs");
  add_report_options(*command, *options);
  command->add_option("FILE", options->files, "Source files to list")->option_text(" ");
  command->add_option("-n", options->count, "Lines shown without files; 0: all (default: 20)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N");
  command
      ->add_flag("--profiled", options->profiled,
                 "Tables of the functions under @memlens.profile, as memory_profiler shows them")
      ->excludes("FILE");
  add_json_option(*command, options->json);
  command->callback([options, &chosen] { chosen = [options] { return print_lines(*options); }; });
}

}  // namespace memlens::report::cli

#include <CLI/CLI.hpp>
#include <algorithm>
#include <clocale>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "interposer/recording/message.h"
#include "interposer/recording/run_error.h"
#include "reader/text/columns.h"
#include "report/cli/answer_commands.h"
#include "report/cli/attach_command.h"
#include "report/cli/collect_command.h"
#include "report/cli/command.h"
#include "report/cli/live_command.h"
#include "report/cli/options/help_format.h"
#include "report/cli/python_package.h"
#include "report/cli/run/closing_words.h"
#include "report/cli/run/run_line.h"
#include "report/cli/run/version_text.h"
#include "report/cli/run_command.h"
#include "report/cli/shell_commands.h"

namespace memlens::report::cli {
namespace {

using recording::print_line;
using recording::RunError;

constexpr int kFailure = 1;
constexpr int kWrongUsage = 2;

constexpr const char* kDescription =
    "memlens records every allocation a program makes, with the Python and native stack that made\n"
    "it, and tells what made the peak, what is still allocated, what churns, and when.";

constexpr const char* kExamples = R"(Examples:
  memlens run app.py                record a Python script ...
  memlens run ./server --port 80    ... or any other program, with its children
  memlens app.mlens                 its summary: totals, and the lines that matter
  memlens explain app.mlens         what happened, in sentences
  memlens peak app.mlens            what was alive at the peak
  memlens leaks app.mlens           what is still allocated at the end
  memlens growing app.mlens         what rises from mark to mark
  memlens diff old.mlens new.mlens  what changed from one to the other
  memlens flamegraph app.mlens      one HTML file with every view
  memlens live 4711                 a recording that is running, as it goes on

`memlens COMMAND --help` says more about each.)";

void add_commands(CLI::App& app, RunOptions& run_options, Action& chosen) {
  // Parsed by run_command(); here for what lists commands and their options.
  add_run_options(*app.add_subcommand("run", "Record a Python script or any other program"),
                  run_options);
  add_summary_command(app, chosen);
  add_explain_command(app, chosen);
  add_stacks_commands(app, chosen);
  add_growing_command(app, chosen);
  add_tree_command(app, chosen);
  add_lines_command(app, chosen);
  add_ranges_command(app, chosen);
  add_diff_command(app, chosen);
  add_check_command(app, chosen);
  add_flamegraph_command(app, chosen);
  add_attach_commands(app, chosen);
  add_mark_command(app, chosen);
  add_rotate_command(app, chosen);
  add_live_command(app, chosen);
  add_plot_command(app, chosen);
  add_export_command(app, chosen);
  add_push_command(app, chosen);
  add_dump_command(app, chosen);
  add_shell_commands(app, chosen);
}

// Letters to add, remove or change to make one word the other.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

bool is_command(const CLI::App& app, const std::string& word) {
  return std::ranges::any_of(app.get_subcommands({}),
                             [&](const CLI::App* command) { return command->get_name() == word; });
}

// What users of other tools type, and what they mean.
constexpr std::pair<std::string_view, std::string_view> kOtherNames[] = {
    {"html", "flamegraph"},    {"report", "flamegraph"}, {"flame", "flamegraph"},
    {"graph", "flamegraph"},   {"web", "flamegraph"},    {"page", "flamegraph"},
    {"view", "flamegraph"},    {"stats", "summary"},     {"info", "summary"},
    {"show", "summary"},       {"top", "summary"},       {"print", "summary"},
    {"compare", "diff"},       {"growth", "growing"},    {"leak", "leaks"},
    {"record", "run"},         {"exec", "run"},          {"start", "run"},
    {"pprof", "export"},       {"speedscope", "export"}, {"convert", "export"},
    {"transform", "export"},   {"csv", "export"},        {"source", "lines"},
    {"list", "lines"},         {"annotate", "lines"},    {"assert", "check"},
    {"limit", "check"},        {"watch", "live"},        {"parse", "dump"},
    {"highwatermark", "peak"}, {"alloc", "allocations"}, {"calltree", "tree"}};

// `memlens app.mlens` is its summary.
bool is_capture_path(const std::string& word) {
  return word.ends_with(".mlens") || std::filesystem::is_regular_file(word);
}

int unknown_command(const CLI::App& app, const std::string& word) {
  std::string nearest;
  for (const auto& [other, name] : kOtherNames) {
    if (word == other) nearest = name;
  }
  size_t nearest_distance = nearest.empty() ? 3 : 0;
  for (const CLI::App* command : app.get_subcommands({})) {
    const size_t distance = edit_distance(word, command->get_name());
    if (distance < nearest_distance) {
      nearest_distance = distance;
      nearest = command->get_name();
    }
  }
  std::cerr << "memlens: no command '" << printable(word) << "'";
  if (!nearest.empty()) std::cerr << "; did you mean '" << nearest << "'?";
  std::cerr << "\nSee 'memlens --help'.\n";
  return kWrongUsage;
}

int wrong_usage(const CLI::App& app, const CLI::ParseError& error) {
  const auto parsed = app.get_subcommands();
  const std::string name = parsed.empty() ? "memlens" : "memlens " + parsed.front()->get_name();
  const std::string reason =
      parsed.empty() && error.get_name() == "RequiredError" ? "which command?" : error.what();
  std::cerr << name << ": " << printable(reason) << "\nSee '" << name << " --help'.\n";
  return kWrongUsage;
}

// A full disk or a closed pipe behind stdout is an error, not a short report.
int finish_output(int code) {
  std::cout.flush();
  if (std::cout.good() && std::fflush(stdout) == 0) return code;
  std::cerr << "memlens: could not write the report to standard output\n";
  return kFailure;
}

int main_without_run(int argc, char** argv) {
  CLI::App app(kDescription, "memlens");
  app.set_version_flag("--version", version_text,
                       "Print the version, and what it was built with, and exit");
  app.footer(kExamples);
  app.require_subcommand(1);
  use_help_format(app);
  Action chosen;
  RunOptions run_options;
  add_commands(app, run_options, chosen);

  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  if (!arguments.empty() && !arguments[0].starts_with('-') && !is_command(app, arguments[0])) {
    if (!is_capture_path(arguments[0])) return unknown_command(app, arguments[0]);
    arguments.insert(arguments.begin(), "summary");
  }
  if (is_for_python_package(arguments)) {
    try {
      become_python_package(arguments);
    } catch (const std::exception& error) {
      std::cerr << "memlens: " << printable(error.what()) << "\n";
      return kFailure;
    }
  }
  std::ranges::reverse(arguments);  // as CLI11 takes them
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help and --version
    return wrong_usage(app, error);
  }
  try {
    return finish_output(chosen());
  } catch (const RunError& error) {
    print_line(error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    std::cerr << "memlens: " << printable(error.what()) << "\n";
    return kFailure;
  }
}

}  // namespace
}  // namespace memlens::report::cli

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");
  // Reports write through streams only; kept in step with stdio they are three times slower.
  std::ios::sync_with_stdio(false);
  if (argc > 1 && std::string_view(argv[1]) == "run") {
    return memlens::report::cli::run_command(argc - 1, argv + 1);
  }
  if (argc > 1 && std::string_view(argv[1]) == "collect") {
    return memlens::report::cli::collect_command(argc - 1, argv + 1);
  }
  return memlens::report::cli::main_without_run(argc, argv);
}

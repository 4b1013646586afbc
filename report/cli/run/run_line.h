// The command line of `memlens run`, cut in two: what is for memlens and what is the program's.
// Everything from the program's name on is passed on untouched, whatever it looks like.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "report/cli/run/mark_options.h"
#include "report/cli/run/rotation_options.h"

namespace memlens::report::cli {

enum class ProgramForm { kProgram, kPythonScript, kPythonModule, kPythonCode };

struct RunLine {
  std::vector<std::string> own_arguments;
  ProgramForm form = ProgramForm::kProgram;
  // The program, script, module or code first, then its arguments; empty: nothing to run.
  std::vector<std::string> program;
};

RunLine split_run_line(const std::vector<std::string>& arguments);

struct RunOptions {
  std::string output;  // empty: the default name
  bool force = false;
  std::optional<bool> native;  // not said: depends on the program
  bool python_allocators = true;
  bool follow = true;
  bool quiet = false;
  bool dormant = false;
  bool source = true;
  bool debuginfod = false;
  RotationOptions rotation;
  uint64_t sample_bytes = 0;  // one sample in so many; 0: every block
  MarkSources marks;
  std::string python;  // empty: python3 on PATH
  std::string report;  // HTML page to write when the recording has ended; empty: none
  ProgramForm form = ProgramForm::kProgram;
  std::vector<std::string> program;
};

// The options alone, which outlive `app`; what follows them is no option.
void add_run_options(CLI::App& app, RunOptions& options);

// Nothing when help was asked for, and printed. Throws RunError for wrong usage.
std::optional<RunOptions> parse_run_options(const std::vector<std::string>& arguments);

}  // namespace memlens::report::cli

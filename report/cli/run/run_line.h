// The command line of `memlens run`, cut in two: what is for memlens and what is the program's.
// Everything from the program's name on is passed on untouched, whatever it looks like.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "interposer/recording/mark_sources.h"
#include "interposer/recording/rotation_options.h"
#include "interposer/recording/target.h"

namespace memlens::report::cli {

using recording::ProgramForm;

struct RunLine {
  std::vector<std::string> own_arguments;
  ProgramForm form = ProgramForm::kProgram;
  // The program, script, module or code first, then its arguments; empty: nothing to run.
  std::vector<std::string> program;
};

RunLine split_run_line(const std::vector<std::string>& arguments);

struct RunOptions : recording::RequestedProgram {
  std::string output;  // empty: the default name
  bool force = false;
  std::optional<bool> native;  // not said: depends on the program
  bool python_allocators = true;
  bool follow = true;
  bool quiet = false;
  bool dormant = false;
  bool source = true;
  bool debuginfod = false;
  recording::RotationOptions rotation;
  uint64_t sample_bytes = 0;  // one sample in so many; 0: every block
  recording::MarkSources marks;
  std::string report;  // HTML page to write when the recording has ended; empty: none
};

// The options alone, which outlive `app`; what follows them is no option.
void add_run_options(CLI::App& app, RunOptions& options);

// Nothing when help was asked for, and printed. Throws RunError for wrong usage.
std::optional<RunOptions> parse_run_options(const std::vector<std::string>& arguments);

}  // namespace memlens::report::cli

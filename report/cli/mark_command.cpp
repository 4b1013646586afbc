// memlens mark
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "interposer/recording/run_error.h"
#include "interposer/recording/running_recording.h"
#include "report/cli/command.h"

namespace memlens::report::cli {
namespace {

using recording::kOwnFailure;
using recording::mark_recording;
using recording::required_recording_of;
using recording::RunError;

struct MarkOptions {
  int pid = 0;
  std::string name;
};

int mark(const MarkOptions& options) {
  const collector::RunningRecording recording = required_recording_of(options.pid);
  std::string reason;
  if (!mark_recording(recording, options.pid, options.name, reason)) {
    throw RunError(kOwnFailure, "no mark in the recording of process " +
                                    std::to_string(options.pid) + ": " + reason);
  }
  return 0;
}

}  // namespace

void add_mark_command(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<MarkOptions>();
  CLI::App* command = app.add_subcommand("mark", "Name this moment in a recording that is running");
  command->footer(
      "PID is any recorded process, or `memlens run` itself. Reports take a mark where they take\n"
      "seconds, the page shows it on the axis, and `growing` counts from it.\n\n"
      "Examples:\n"
      "  memlens mark 4711 'cache is warm'\n"
      "  memlens growing server.mlens --from 'cache is warm'");
  command->add_option("PID", options->pid, "A process that is being recorded")
      ->required()
      ->option_text(" ");
  command->add_option("NAME", options->name, "What to call the moment")
      ->required()
      ->option_text(" ");
  command->callback([options, &chosen] { chosen = [options] { return mark(*options); }; });
}

}  // namespace memlens::report::cli

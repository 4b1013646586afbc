// memlens rotate
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "interposer/recording/run_error.h"
#include "interposer/recording/running_recording.h"
#include "report/cli/command.h"

namespace memlens::report::cli {
namespace {

using recording::kOwnFailure;
using recording::required_recording_of;
using recording::RunError;

int rotate(int pid) {
  const collector::RunningRecording recording = required_recording_of(pid);
  std::string reason;
  if (!collector::ask_recording(recording.socket_name, "rotate", reason)) {
    throw RunError(kOwnFailure, "the recording of process " + std::to_string(pid) +
                                    " does not go on in another file: " + reason);
  }
  return 0;
}

}  // namespace

void add_rotate_command(CLI::App& app, Action& chosen) {
  auto pid = std::make_shared<int>(0);
  CLI::App* command = app.add_subcommand("rotate", "Go on with a recording in another file");
  command->footer(
      "PID is any recorded process, or the memlens that records. What it has written becomes\n"
      "FILE.1, a capture like any other; FILE goes on with what is live. `memlens run` and "
      "`attach`\n"
      "do it by themselves with --max-size, and at SIGHUP with --keep.");
  command->add_option("PID", *pid, "A process that is being recorded")
      ->required()
      ->option_text(" ");
  command->callback([pid, &chosen] { chosen = [pid] { return rotate(*pid); }; });
}

}  // namespace memlens::report::cli

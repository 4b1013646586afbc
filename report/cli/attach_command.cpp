// memlens attach, memlens detach
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "interposer/collector/control_socket.h"
#include "interposer/recording/attach/attachment.h"
#include "interposer/recording/preload.h"
#include "interposer/recording/run_error.h"
#include "interposer/recording/run_signals.h"
#include "interposer/recording/running_recording.h"
#include "report/cli/attach_command.h"
#include "report/cli/run/closing_words.h"
#include "report/cli/run/mark_options.h"
#include "report/cli/run/rotation_options.h"
#include "report/cli/run/sample_option.h"

namespace memlens::report::cli {
namespace {

using recording::Attachment;
using recording::AttachOptions;
using recording::capture_of;
using recording::catch_signals;
using recording::find_preload_library;
using recording::kOwnFailure;
using recording::required_recording_of;
using recording::RunError;
using recording::wake_recording;

int attach_to(const AttachOptions& options) {
  Attachment attachment(options);
  catch_signals([] { wake_recording(); });
  return attachment.record();
}

int tell_library() {
  std::printf("%s\n", find_preload_library().c_str());
  return 0;
}

int tell_capture(int pid) {
  const std::string capture = capture_of(required_recording_of(pid));
  if (capture.empty()) {
    throw RunError(kOwnFailure, "the capture of process " + std::to_string(pid) +
                                    " cannot be seen from here (another user's)");
  }
  std::printf("%s\n", capture.c_str());
  return 0;
}

int detach(int pid) {
  const collector::RunningRecording recording = required_recording_of(pid);
  std::string reason;
  if (!collector::ask_recording(recording.socket_name, "stop", reason)) {
    throw RunError(kOwnFailure,
                   "cannot end the recording of process " + std::to_string(pid) + ": " + reason);
  }
  return 0;
}

}  // namespace

void add_attach_commands(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<AttachOptions>();
  options->tell_ending = print_ending;
  CLI::App* command = app.add_subcommand("attach", "Record a program that is running already");
  command->footer(
      "Recorded is what PID allocates from now on, until Ctrl-C, `memlens detach PID`, "
      "--duration,\n"
      "or its end; it runs on, and can be attached to again. It takes the right to ptrace, but "
      "for\n"
      "programs started with `memlens run --dormant`.\n\n"
      "Examples:\n"
      "  memlens attach 4711 --duration 30s\n"
      "  memlens attach 4711 --sample 512K -o server.mlens");
  command->add_option("PID", options->pid, "The process to record")->required()->option_text(" ");
  command->add_flag("--children", options->children,
                    "Also the children it has, and theirs; else only those it forks from now on");
  command
      ->add_option("-o,--output", options->output,
                   "Capture to write (memlens-<name>-<pid>.mlens); %p pid, %h host, %t time")
      ->type_name("FILE");
  command->add_flag("-f,--force", options->force, "Overwrite an existing capture");
  CLI::Option* on = command->add_flag("--native", options->native,
                                      "Record native frames (default: all but Python)");
  command->add_flag("--no-native", options->no_native, "Python frames only (default: Python)")
      ->excludes(on);
  command->add_flag("!--no-python-allocators", options->python_allocators,
                    "Only malloc and its like, not each Python object");
  add_sample_option(*command, options->sample_bytes);
  add_rotation_options(*command, options->rotation);
  add_mark_options(*command, options->marks);
  command->add_option("--duration", options->duration_seconds, "End by itself: 30, 30s, 500ms, 5m")
      ->transform(CLI::AsNumberWithUnit(
          std::map<std::string, double>{{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}}))
      ->check(CLI::Range(0.001, 1e8))
      ->option_text("TIME");
  command->add_flag("!--no-follow", options->follow, "Not the children it starts meanwhile");
  command->add_flag("!--no-source", options->source, "Do not store the text of source lines");
  command->add_flag("--debuginfod", options->debuginfod,
                    "Ask the servers in DEBUGINFOD_URLS for missing debug files");
  command->add_flag("-q,--quiet", options->quiet, "Say nothing but errors");
  // For who asks for a recording of itself (the Python package): spares it a thread of ours.
  command->add_flag("--wakes-itself", options->wakes_itself)->group("");
  command->add_flag("--tables", options->tables)->group("");
  // For programs that bring it in themselves (memlens.h).
  auto library = std::make_shared<bool>(false);
  command->add_flag("--where-library", *library)->group("");
  // For who reads what has been recorded so far (the Python package).
  auto capture = std::make_shared<bool>(false);
  command->add_flag("--where-capture", *capture)->group("");
  command->callback([options, library, capture, &chosen] {
    chosen = [options, library, capture] {
      if (*library) return tell_library();
      return *capture ? tell_capture(options->pid) : attach_to(*options);
    };
  });

  auto pid = std::make_shared<int>(0);
  CLI::App* end = app.add_subcommand("detach", "End a recording that is running");
  end->footer(
      "PID is any recorded process, or the memlens that records. The programs run on, unrecorded;\n"
      "the capture is complete when the other memlens has ended.");
  end->add_option("PID", *pid, "A process that is being recorded")->required()->option_text(" ");
  end->callback([pid, &chosen] { chosen = [pid] { return detach(*pid); }; });
}

}  // namespace memlens::report::cli

#include "report/cli/run_command.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <optional>
#include <system_error>

#include "interposer/recording/child_program.h"
#include "interposer/recording/message.h"
#include "interposer/recording/output_file.h"
#include "interposer/recording/own_descriptors.h"
#include "interposer/recording/preload.h"
#include "interposer/recording/progress.h"
#include "interposer/recording/record_program.h"
#include "interposer/recording/rotation.h"
#include "interposer/recording/run_error.h"
#include "interposer/recording/target.h"
#include "report/cli/run/closing_words.h"
#include "report/cli/run/run_line.h"
#include "report/cli/run/run_report.h"

namespace memlens::report::cli {
namespace {

using recording::become_program;
using recording::catch_signals;
using recording::check_rotation;
using recording::ChildProgram;
using recording::create_output;
using recording::dormant_environment;
using recording::find_preload_library;
using recording::find_target;
using recording::inherited_descriptor_number;
using recording::kCannotRun;
using recording::kNotFound;
using recording::kOwnFailure;
using recording::OutputFile;
using recording::OwnDescriptors;
using recording::print_line;
using recording::ProgramStart;
using recording::progress_disturbs_nobody;
using recording::record_program;
using recording::recorded_environment;
using recording::RecordedRun;
using recording::RunError;
using recording::Target;
using recording::unrecorded_environment;
using recording::wake_recording;

collector::RecordingOptions recording_options(const RunOptions& options, const Target& target) {
  collector::RecordingOptions recorded;
  recorded.native = options.native.value_or(!target.python);
  recorded.python_allocators = options.python_allocators;
  recorded.follow = options.follow;
  recorded.sample_bytes = options.sample_bytes;
  options.marks.tell(recorded);
  return recorded;
}

collector::SessionDescription describe_session(const Target& target) {
  collector::SessionDescription session;
  session.command = target.arguments;
  std::error_code error;
  session.working_directory = std::filesystem::current_path(error).string();
  if (!target.obstacle.empty()) {
    session.notes.push_back(target.executable + " " + target.obstacle);
  }
  return session;
}

[[noreturn]] void report_failed_exec(const Target& target, int error) {
  const int code = error == ENOENT || error == ENOTDIR ? kNotFound : kCannotRun;
  std::string reason = strerror(error);
  if (error == ENOENT && std::filesystem::exists(target.executable)) {
    reason = "its interpreter or loader does not exist";
  }
  throw RunError(code, target.executable + ": " + reason);
}

// There is nothing to serve: memlens becomes the program, whose exit, signals and descriptors are
// then its own.
[[noreturn]] void run_dormant(const RunOptions& options) {
  const Target target = find_target(options);
  if (!target.obstacle.empty() && !options.quiet) {
    print_line(target.executable + " " + target.obstacle + ": it cannot be attached to");
  }
  const std::string library = find_preload_library();
  const std::vector<std::string> environment =
      target.preload ? dormant_environment(library) : unrecorded_environment();
  become_program(target.executable, target.arguments, environment);
  report_failed_exec(target, errno);
}

int record(const RunOptions& options) {
  if (options.dormant) run_dormant(options);
  // Before anything is opened: what is open now is the program's and not ours to keep.
  const OwnDescriptors inherited;
  catch_signals([] { wake_recording(); });
  if (!options.report.empty()) check_report_path(options.report, options.force);
  const Target target = find_target(options);
  const std::string library = find_preload_library();
  collector::Recording recording(recording_options(options, target));

  ProgramStart start;
  start.executable = target.executable;
  start.arguments = target.arguments;
  start.segment_fd = recording.segment().fd();
  start.inherited_fd = inherited_descriptor_number();
  start.environment =
      target.preload
          ? recorded_environment(library, recording.segment().description(start.inherited_fd))
          : unrecorded_environment();
  ChildProgram program(start);
  const OutputFile output =
      create_output(options.output, target.name, program.pid(), options.force);
  check_rotation(options.rotation, output);
  if (!recording.open_capture(output.fd, describe_session(target))) {
    const std::string reason = strerror(recording.write_failure());
    if (output.regular) unlink(output.path.c_str());
    throw RunError(kOwnFailure, "cannot write " + output.path + ": " + reason);
  }
  const bool progress = !options.quiet && progress_disturbs_nobody();
  if (!options.quiet) explain_interrupts(output.path);
  inherited.close_in_this_process();
  if (const int error = program.release(); error != 0) {
    if (output.regular) unlink(output.path.c_str());
    report_failed_exec(target, error);
  }

  RecordedRun run;
  run.output = output;
  run.name = target.executable;
  run.obstacle = target.obstacle;
  run.quiet = options.quiet;
  run.tell_ending = print_ending;
  run.progress = progress;
  run.source = options.source;
  run.debuginfod = options.debuginfod;
  run.rotation = options.rotation;
  run.mark_on_signal = options.marks.on_signal;
  run.native = recording_options(options, target).native;
  const int code = record_program(recording, program, run);
  if (!options.report.empty() && output.regular) {
    write_run_report(output.path, options.report, options.quiet);
  }
  return code;
}

}  // namespace

int run_command(int argc, char** argv) {
  try {
    const auto options = parse_run_options(std::vector<std::string>(argv + 1, argv + argc));
    return options ? record(*options) : 0;
  } catch (const RunError& error) {
    print_line(error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    print_line(error.what());
    return kOwnFailure;
  }
}

}  // namespace memlens::report::cli

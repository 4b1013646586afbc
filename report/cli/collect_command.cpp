#include "report/cli/collect_command.h"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>

#include "interposer/collector/clock.h"
#include "interposer/collector/process_files.h"
#include "interposer/recording/message.h"
#include "interposer/recording/own_descriptors.h"
#include "interposer/recording/python_script.h"
#include "interposer/recording/record_program.h"
#include "interposer/recording/rotation.h"
#include "interposer/recording/run_error.h"
#include "interposer/recording/target.h"
#include "report/cli/run/closing_words.h"
#include "report/cli/run/sample_option.h"

namespace memlens::report::cli {
namespace {

using recording::capture_name;
using recording::catch_signals;
using recording::close_recording;
using recording::create_output;
using recording::is_python_path;
using recording::kOwnFailure;
using recording::OwnDescriptors;
using recording::print_line;
using recording::received_signals;
using recording::ReceivedSignal;
using recording::RecordedRun;
using recording::report_write_failure;
using recording::Rotation;
using recording::RunError;
using recording::set_recording_to_wake;
using recording::wake_recording;

// The program attaches at once or never: it died, or could not.
constexpr int64_t kAttachPatienceNs = 10'000'000'000;

void announce(int ready_fd, const std::string& session) {
  if (write(ready_fd, session.data(), session.size()) != static_cast<ssize_t>(session.size())) {
    throw RunError(kOwnFailure, std::string("cannot reach the program: ") + strerror(errno));
  }
  close(ready_fd);
}

int collect(int ready_fd, int pid, uint64_t sample_bytes) {
  const OwnDescriptors inherited;
  catch_signals([] { wake_recording(); });
  collector::SessionDescription session;
  session.command = collector::command_line_of(pid);
  std::error_code error;
  session.working_directory = std::filesystem::current_path(error).string();

  collector::RecordingOptions options;
  options.native = session.command.empty() || !is_python_path(session.command[0]);
  options.sample_bytes = sample_bytes;
  collector::Recording recording(options);
  const char* pattern = getenv("MEMLENS_OUTPUT");
  RecordedRun run;
  run.tell_ending = print_ending;
  run.output = create_output(
      pattern == nullptr ? "" : pattern,
      session.command.empty() ? "program" : capture_name(session.command, session.command[0]), pid,
      /*force=*/false);
  run.name = session.command.empty() ? "the program" : session.command[0];
  if (!recording.open_capture(run.output.fd, session)) {
    throw RunError(kOwnFailure,
                   "cannot write " + run.output.path + ": " + strerror(recording.write_failure()));
  }
  const int own_ready_fd = fcntl(ready_fd, F_DUPFD_CLOEXEC, 3);
  inherited.close_in_this_process();
  set_recording_to_wake(&recording);
  announce(own_ready_fd, recording.segment().description(recording.segment().fd()));

  const int64_t give_up_ns = collector::monotonic_ns() + kAttachPatienceNs;
  Rotation rotation(recording, run, run.rotation);
  bool failure_reported = false;
  bool interrupted = false;
  while (!interrupted) {
    for (const ReceivedSignal& signal : received_signals()) {
      interrupted |= signal.number == SIGTERM || signal.number == SIGINT;
    }
    recording.update();
    rotation.update();
    interrupted |= recording.stop_requested();
    report_write_failure(recording, run, failure_reported);
    const bool attached = recording.processes_seen() != 0;
    if (attached ? recording.is_over() : collector::monotonic_ns() > give_up_ns) break;
    recording.sleep();
  }
  rotation.end();
  close_recording(recording, run, interrupted, {}, nullptr);
  set_recording_to_wake(nullptr);
  return 0;
}

}  // namespace

int collect_command(int argc, char** argv) {
  CLI::App app("Serves a program that was preloaded by hand.", "memlens collect");
  int ready_fd = -1;
  int pid = 0;
  app.add_option("--ready-fd", ready_fd)->required();
  app.add_option("--pid", pid)->required();
  uint64_t sample_bytes = 0;
  add_sample_option(app, sample_bytes)->envname("MEMLENS_SAMPLE");
  try {
    app.parse(argc, argv);
    return collect(ready_fd, pid, sample_bytes);
  } catch (const CLI::ParseError& error) {
    print_line(std::string(error.what()) + " (MEMLENS_SAMPLE)");
    return kOwnFailure;
  } catch (const std::exception& error) {
    print_line(error.what());
    return kOwnFailure;
  }
}

}  // namespace memlens::report::cli

// memlens attach, memlens detach
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "interposer/collector/clock.h"
#include "interposer/collector/control_socket.h"
#include "interposer/collector/process_files.h"
#include "report/cli/attach/attached_process.h"
#include "report/cli/attach/dormant_process.h"
#include "report/cli/attach_command.h"
#include "report/cli/run/record_program.h"
#include "report/cli/run/run_error.h"
#include "report/cli/run/running_recording.h"
#include "report/cli/run/sample_option.h"
#include "report/cli/run/target.h"
#include "report/text/units.h"

namespace memlens::report::cli {
namespace {

struct AttachOptions {
  int pid = 0;
  std::string output;
  bool force = false;
  bool native = false;
  bool no_native = false;
  bool python_allocators = true;
  bool follow = true;
  uint64_t sample_bytes = 0;
  double duration_seconds = 0;  // 0: until somebody ends it
  bool source = true;
  bool debuginfod = false;
  bool quiet = false;
};

// A process that joins does so at its next allocation; after this long it is worth a word.
constexpr int64_t kSilentWaitNs = 1'000'000'000;

std::string process_name(const AttachedProcess& process) {
  return "process " + std::to_string(process.pid);
}

// `python3 app.py` is app's.
std::string capture_name_of(const AttachedProcess& process) {
  const std::vector<std::string>& command = process.command;
  if (process.python && command.size() > 1 && !command[1].empty() && command[1][0] != '-') {
    return capture_name(ProgramForm::kPythonScript, command[1]);
  }
  return capture_name(ProgramForm::kProgram, process.executable);
}

class Attachment {
 public:
  Attachment(const AttachedProcess& process, const AttachOptions& options)
      : process_(process), options_(options), dormant_(process.pid), recording_(recorded()) {}

  int record() {
    open();
    recording_.segment().admit_user(process_.user);
    set_recording_to_wake(&recording_);
    started_ns_ = collector::monotonic_ns();
    dormant_.ask(recording_.segment().description(recording_.segment().fd()));
    const bool refused = !serve();
    if (refused) {
      set_recording_to_wake(nullptr);
      if (run_.output.regular) unlink(run_.output.path.c_str());
      const std::string why = dormant_.reason();
      throw RunError(kOwnFailure, process_name(process_) + " cannot be recorded: " + why);
    }
    close_recording(recording_, run_, false, {}, nullptr);
    set_recording_to_wake(nullptr);
    return 0;
  }

 private:
  collector::RecordingOptions recorded() const {
    collector::RecordingOptions recorded;
    recorded.native = options_.native || (!options_.no_native && !process_.python);
    recorded.python_allocators = options_.python_allocators;
    recorded.follow = options_.follow;
    recorded.sample_bytes = options_.sample_bytes;
    return recorded;
  }

  void open() {
    run_.output =
        create_output(options_.output, capture_name_of(process_), process_.pid, options_.force);
    run_.name = process_name(process_);
    run_.obstacle = "allocated nothing in that time";
    run_.quiet = options_.quiet;
    run_.source = options_.source;
    run_.debuginfod = options_.debuginfod;
    run_.native = recorded().native;
    collector::SessionDescription session;
    session.command = process_.command;
    session.working_directory = process_.working_directory;
    session.attached = {process_.pid, std::round(process_.age_seconds * 1000) / 1000,
                        process_.resident_bytes, note()};
    if (!recording_.open_capture(run_.output.fd, session)) {
      const std::string reason = strerror(recording_.write_failure());
      if (run_.output.regular) unlink(run_.output.path.c_str());
      throw RunError(kOwnFailure, "cannot write " + run_.output.path + ": " + reason);
    }
  }

  std::string note() const {
    std::string text = "attached after " + format_seconds(process_.age_seconds);
    if (process_.resident_bytes)
      text += " with an RSS of " + format_bytes(*process_.resident_bytes);
    return text + ": what was allocated before is not counted, its frees are no errors";
  }

  // Until the recording is to end; false when the process refuses.
  bool serve() {
    bool joined = false, waiting_told = false, failure_reported = false, over = false;
    while (!over) {
      for (const ReceivedSignal& signal : received_signals()) {
        over |= signal.number == SIGINT || signal.number == SIGTERM || signal.number == SIGHUP ||
                signal.number == SIGQUIT;
      }
      recording_.update();
      report_write_failure(recording_, run_, failure_reported);
      over |= recording_.stop_requested() || recording_.write_failure() != 0;
      const int64_t now = collector::monotonic_ns();
      if (!joined) {
        const DormantProcess::Answer answer = dormant_.look();
        if (answer == DormantProcess::Answer::kRefused) return false;
        if (answer == DormantProcess::Answer::kJoined) {
          joined = true;
          run_.obstacle.clear();
          started_ns_ = now;
          tell_joined();
        } else if (!waiting_told && now - started_ns_ > kSilentWaitNs) {
          waiting_told = true;
          tell("waiting for " + run_.name + " to allocate something; Ctrl-C gives up");
        }
        // Not when it has joined just now and ended: its children may still be there.
        over |= !collector::is_running(process_.pid) &&
                dormant_.look() != DormantProcess::Answer::kJoined;
      } else {
        over |= recording_.is_over();
      }
      over |= options_.duration_seconds > 0 &&
              static_cast<double>(now - started_ns_) > options_.duration_seconds * 1e9;
      if (!over) recording_.sleep();
    }
    if (!joined && !dormant_.withdraw()) wait_for_late_answer();
    return true;
  }

  void wait_for_late_answer() {
    constexpr int kRounds = 200;
    for (int i = 0; i < kRounds && dormant_.look() == DormantProcess::Answer::kNoneYet; ++i) {
      recording_.update();
      recording_.sleep();
    }
    if (dormant_.look() == DormantProcess::Answer::kJoined) run_.obstacle.clear();
    recording_.update();
  }

  void tell_joined() {
    tell("attached to " + run_.name + " after " + format_seconds(process_.age_seconds) +
         "; recording into " + run_.output.path + " until Ctrl-C or `memlens detach " +
         std::to_string(process_.pid) + "`");
  }

  void tell(const std::string& text) const {
    if (!options_.quiet) print_line(text);
  }

  AttachedProcess process_;
  AttachOptions options_;
  DormantProcess dormant_;
  collector::Recording recording_;
  RecordedRun run_;
  int64_t started_ns_ = 0;
};

int attach(const AttachOptions& options) {
  const AttachedProcess process = look_at_process(options.pid);
  if (!DormantProcess::has_gate(options.pid)) {
    throw RunError(kOwnFailure,
                   process_name(process) +
                       " has not loaded libmemlens.so and cannot be attached to; start it with "
                       "`memlens run --dormant`, or with MEMLENS_DORMANT=1 and the library in "
                       "LD_PRELOAD");
  }
  catch_signals([] { wake_recording(); });
  return Attachment(process, options).record();
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
  CLI::App* command = app.add_subcommand("attach", "Record a program that is running already");
  command->footer(
      "PID was started with `memlens run --dormant`, or with MEMLENS_DORMANT=1 in its environment\n"
      "and libmemlens.so in LD_PRELOAD. Recorded is what it allocates from now on, until Ctrl-C,\n"
      "`memlens detach PID`, --duration, or its end; it runs on, and can be attached to again.\n\n"
      "Examples:\n"
      "  memlens attach 4711 --duration 30s\n"
      "  memlens attach 4711 --sample 512K -o server.mlens");
  command->add_option("PID", options->pid, "The process to record")->required()->option_text(" ");
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
  command->callback([options, &chosen] { chosen = [options] { return attach(*options); }; });

  auto pid = std::make_shared<int>(0);
  CLI::App* end = app.add_subcommand("detach", "End a recording that is running");
  end->footer(
      "PID is any recorded process, or the memlens that records. The programs run on, unrecorded;\n"
      "the capture is complete when the other memlens has ended.");
  end->add_option("PID", *pid, "A process that is being recorded")->required()->option_text(" ");
  end->callback([pid, &chosen] { chosen = [pid] { return detach(*pid); }; });
}

}  // namespace memlens::report::cli

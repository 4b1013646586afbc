#include "interposer/recording/record_program.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "interposer/collector/clock.h"
#include "interposer/recording/finish_capture.h"
#include "interposer/recording/message.h"
#include "interposer/recording/progress.h"
#include "interposer/recording/rotation.h"
#include "interposer/symbolizer/early_inflation.h"
#include "interposer/symbolizer/symbolizer.h"

namespace memlens::recording {
namespace {

using collector::ExitStatus;
using collector::Recording;

// Two Ctrl-C within this time end the recording: one alone is the program's own affair, and in an
// interpreter's prompt they come minutes apart.
constexpr int64_t kSecondInterruptNs = 5'000'000'000;
// `timeout` sends one to memlens and another to its group; nobody types two so fast.
constexpr int64_t kOneInterruptNs = 200'000'000;

std::atomic<Recording*> recording_to_wake{nullptr};

ExitStatus status_of(int wait_status) {
  ExitStatus status;
  if (WIFEXITED(wait_status)) status.exit_code = WEXITSTATUS(wait_status);
  if (WIFSIGNALED(wait_status)) status.signal = WTERMSIG(wait_status);
  return status;
}

int exit_code_of(const ExitStatus& status) {
  constexpr int kSignalBase = 128;
  return status.signal ? kSignalBase + *status.signal : status.exit_code.value_or(0);
}

class ProgramRun {
 public:
  ProgramRun(Recording& recording, ChildProgram& program, RecordedRun& run)
      : recording_(recording),
        program_(program),
        run_(run),
        rotation_(recording, run, run.rotation),
        progress_(run.progress) {}

  int serve_and_close();

 private:
  void look_at_program();
  void handle(const ReceivedSignal& signal);
  void handle_interrupt(const ReceivedSignal& signal);
  void forward(const ReceivedSignal& signal);
  void follow_into_stop(int signal);

  Recording& recording_;
  ChildProgram& program_;
  const RecordedRun& run_;
  Rotation rotation_;
  Progress progress_;
  std::optional<symbolizer::EarlyInflation> early_inflation_;
  bool program_stopped_ = false;
  bool ended_early_ = false;
  bool failure_reported_ = false;
  int64_t last_interrupt_ns_ = 0;
  ExitStatus status_;
  bool program_ended_ = false;
};

int ProgramRun::serve_and_close() {
  recording_.processes().set_child(program_.pid());
  if (run_.native && run_.output.regular) {
    early_inflation_.emplace(program_.pid(), symbolizer::SymbolizerOptions().debug_directories);
  }
  while (!ended_early_) {
    for (const ReceivedSignal& signal : received_signals()) handle(signal);
    look_at_program();
    recording_.update();
    rotation_.update();
    ended_early_ |= recording_.stop_requested();
    report_write_failure(recording_, run_, failure_reported_);
    if (program_ended_ && recording_.is_over()) break;
    progress_.update(collector::monotonic_ns(), recording_.writer().file_bytes(),
                     static_cast<unsigned>(recording_.processes().living().size()));
    recording_.sleep();
  }
  rotation_.end();
  progress_.clear();
  if (!program_ended_) status_.signal = SIGINT;  // ours: the program runs on
  close_recording(recording_, run_, ended_early_, program_ended_ ? status_ : ExitStatus{},
                  early_inflation_ ? &early_inflation_->files() : nullptr);
  if (!program_ended_) {
    print_line("the recording ended before the program did: process " +
               std::to_string(program_.pid()) + " runs on, unrecorded");
  }
  return exit_code_of(status_);
}

void ProgramRun::look_at_program() {
  if (program_ended_) return;
  if (const auto wait_status = program_.ended()) {
    program_ended_ = true;
    if (early_inflation_) early_inflation_->end();
    status_ = status_of(*wait_status);
    recording_.processes().child_ended(status_);
  } else if (const auto signal = program_.stopped()) {
    follow_into_stop(*signal);
  }
}

// Ctrl-Z: the shell waits for its child, which is memlens, to stop.
void ProgramRun::follow_into_stop(int signal) {
  program_stopped_ = true;
  const bool from_job_control = signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
  if (!from_job_control || getpgid(program_.pid()) != getpgrp()) return;
  progress_.clear();
  raise(SIGSTOP);
}

void ProgramRun::handle(const ReceivedSignal& signal) {
  switch (signal.number) {
    case SIGINT:
      handle_interrupt(signal);
      break;
    case SIGCONT:
      if (program_stopped_ && !program_ended_) kill(program_.pid(), SIGCONT);
      program_stopped_ = false;
      break;
    case SIGTSTP:
      if (!signal.from_terminal) forward(signal);
      break;
    case SIGTERM:
    case SIGHUP:
      if (signal.number == SIGHUP && run_.rotation.given && !signal.from_terminal) {
        rotation_.ask();
        break;
      }
      if (program_ended_) {
        ended_early_ = !was_ignored(signal.number);
      } else {
        forward(signal);
      }
      break;
    case SIGUSR2:
      if (run_.mark_on_signal) {
        recording_.mark_by_signal();
      } else {
        forward(signal);
      }
      break;
    default:
      forward(signal);
      break;
  }
}

void ProgramRun::handle_interrupt(const ReceivedSignal& signal) {
  if (was_ignored(SIGINT)) return forward(signal);
  const int64_t now = collector::monotonic_ns();
  const int64_t since_last = last_interrupt_ns_ != 0 ? now - last_interrupt_ns_ : INT64_MAX;
  if (since_last < kOneInterruptNs) return forward(signal);
  const bool second = since_last < kSecondInterruptNs;
  last_interrupt_ns_ = now;
  if (program_ended_) {
    ended_early_ = true;
    return;
  }
  forward(signal);
  ended_early_ = second;
}

// From the terminal, or from the program itself to its whole group: the program had it too.
void ProgramRun::forward(const ReceivedSignal& signal) {
  if (signal.from_terminal || program_ended_) return;
  if (signal.sender == program_.pid() || recording_.processes().is_tracked(signal.sender)) return;
  kill(program_.pid(), signal.number);
}

void add_names_and_source(Recording& recording, const RecordedRun& run,
                          symbolizer::InflatedFiles* inflated) {
  FinishOptions options;
  options.inflated = inflated;
  options.source_text = run.source;
  options.debuginfod = run.debuginfod;
  options.progress = !run.quiet;
  // Ctrl-C from here on: the user is tired of waiting for names.
  end_wished() = false;
  options.stop = &end_wished();
  finish_capture(run.output.path, options,
                 [&](format::FrameKind kind, uint32_t process, std::string_view payload) {
                   collector::FrameDescription frame;
                   frame.kind = kind;
                   frame.process = process;
                   return recording.writer().append(frame, payload);
                 });
}

}  // namespace

void wake_recording() {
  Recording* recording = recording_to_wake.load(std::memory_order_relaxed);
  if (recording != nullptr) recording->interrupt_sleep();
}

void set_recording_to_wake(Recording* recording) { recording_to_wake = recording; }

void report_write_failure(const Recording& recording, const RecordedRun& run, bool& reported) {
  if (reported || recording.write_failure() == 0) return;
  reported = true;
  print_line("cannot write " + run.output.path + ": " + strerror(recording.write_failure()) +
             "; the recording ends here, the program runs on");
}

void close_recording(Recording& recording, const RecordedRun& run, bool interrupted,
                     const ExitStatus& status, symbolizer::InflatedFiles* inflated) {
  const bool failed_before = recording.write_failure() != 0;
  recording.end_events();
  Ending ending;
  const bool removed = run.output.regular && !is_still_there(run.output);
  if (run.output.regular && !removed && recording.write_failure() == 0 &&
      recording.processes_seen() != 0) {
    add_names_and_source(recording, run, inflated);
  }
  recording.write_trailer(
      interrupted ? Recording::EndReason::kInterrupted : Recording::EndReason::kFinished, status);
  bool reported = failed_before;
  report_write_failure(recording, run, reported);
  ending.path = run.output.path;
  ending.readable = run.output.regular;
  ending.removed = removed;
  ending.quiet = run.quiet;
  ending.tables = run.tables;
  ending.interrupted = interrupted;
  ending.write_failure = recording.write_failure();
  ending.processes = recording.processes_seen();
  ending.processes_lost = recording.processes_lost();
  ending.children_missing = recording.births_missing();
  ending.damaged_chunks = recording.damaged_chunks();
  ending.written_over = recording.written_over();
  ending.command_name = run.name;
  ending.obstacle = run.obstacle;
  run.tell_ending(ending);
}

int record_program(Recording& recording, ChildProgram& program, RecordedRun& run) {
  set_recording_to_wake(&recording);
  const int code = ProgramRun(recording, program, run).serve_and_close();
  set_recording_to_wake(nullptr);
  return code;
}

}  // namespace memlens::recording

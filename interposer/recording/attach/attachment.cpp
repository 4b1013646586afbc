#include "interposer/recording/attach/attachment.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "interposer/collector/clock.h"
#include "interposer/collector/process_files.h"
#include "interposer/recording/message.h"
#include "interposer/recording/rotation.h"
#include "interposer/recording/run_error.h"
#include "interposer/recording/target.h"
#include "reader/text/units.h"

namespace memlens::recording {
namespace {

// Who joins does so at its next allocation; after this long it is worth a word.
constexpr int64_t kSilentWaitNs = 1'000'000'000;
// Of looks for children that were forked just before their parent joined.
constexpr int kMostGenerations = 20;

// Children, their children and so on, parents first.
std::vector<pid_t> descendants_of(pid_t ancestor) {
  std::vector<pid_t> found = {ancestor};
  for (size_t i = 0; i < found.size(); ++i) {
    std::error_code error;
    for (const auto& task : std::filesystem::directory_iterator(
             "/proc/" + std::to_string(found[i]) + "/task", error)) {
      std::ifstream children(task.path() / "children");
      for (pid_t child = 0; children >> child;) {
        if (std::find(found.begin(), found.end(), child) == found.end()) found.push_back(child);
      }
    }
  }
  found.erase(found.begin());
  return found;
}

}  // namespace

Attachment::Attachment(const AttachOptions& options)
    : options_(options), first_(options.pid, options.wakes_itself), recording_(recorded()) {}

int Attachment::record() {
  open();
  try {
    ask();
    if (!serve()) throw RunError(kOwnFailure, first_.refusal());
  } catch (const RunError&) {
    give_up();
    throw;
  }
  close_recording(recording_, run_, false, {}, nullptr);
  set_recording_to_wake(nullptr);
  return 0;
}

collector::RecordingOptions Attachment::recorded() const {
  collector::RecordingOptions recorded;
  recorded.native = options_.native || (!options_.no_native && !first_.process().python);
  recorded.python_allocators = options_.python_allocators;
  recorded.follow = options_.follow && first_.shares_namespaces();
  recorded.sample_bytes = options_.sample_bytes;
  options_.marks.tell(recorded);
  return recorded;
}

void Attachment::open() {
  const AttachedProcess& process = first_.process();
  run_.output = create_output(options_.output, capture_name(process.command, process.executable),
                              process.pid, options_.force);
  check_rotation(options_.rotation, run_.output);
  run_.name = first_.name();
  run_.obstacle = "allocated nothing in that time";
  run_.quiet = options_.quiet;
  run_.tables = !options_.wakes_itself || options_.tables;  // of memlens.h nobody reads stderr
  run_.tell_ending = options_.tell_ending;
  run_.source = options_.source;
  run_.debuginfod = options_.debuginfod;
  run_.rotation = options_.rotation;
  run_.native = recorded().native;
  collector::SessionDescription session;
  session.command = process.command;
  session.working_directory = process.working_directory;
  session.attached = {process.pid, std::round(process.age_seconds * 1000) / 1000,
                      process.resident_bytes, note()};
  if (options_.follow && !first_.shares_namespaces()) {
    session.notes.push_back(
        "children of the process are not recorded: it lives in other namespaces than memlens");
  }
  if (!recording_.open_capture(run_.output.fd, session)) {
    const std::string reason = strerror(recording_.write_failure());
    if (run_.output.regular) unlink(run_.output.path.c_str());
    throw RunError(kOwnFailure, "cannot write " + run_.output.path + ": " + reason);
  }
}

std::string Attachment::note() const {
  const AttachedProcess& process = first_.process();
  std::string text = "attached after " + format_seconds(process.age_seconds);
  if (process.resident_bytes) text += " with an RSS of " + format_bytes(*process.resident_bytes);
  return text + ": what was allocated before is not counted, its frees are no errors";
}

void Attachment::ask() {
  recording_.segment().admit_user(first_.process().user);
  set_recording_to_wake(&recording_);
  first_.ask(recording_.segment());
  started_ns_ = collector::monotonic_ns();
  if (options_.children) add_children();
}

// Those that are there and do not record yet. One that cannot is left out, aloud.
void Attachment::add_children() {
  for (const pid_t pid : descendants_of(first_.process().pid)) {
    if (std::find(seen_children_.begin(), seen_children_.end(), pid) != seen_children_.end())
      continue;
    seen_children_.push_back(pid);
    if (collector::has_mapped(pid, recording_.segment().inode()) == collector::Mapped::kYes)
      continue;
    try {
      auto child = std::make_unique<AttachTarget>(pid);
      child->ask(recording_.segment());
      children_.push_back(std::move(child));
    } catch (const RunError& error) {
      tell(std::string("left out: ") + error.what());
    }
  }
}

// How long the recording lasts, or is waited for. A process that was called to join does so in a
// moment, and what it is to be recorded for begins then; any other may be silent all the time.
int64_t Attachment::patience_ns() const {
  constexpr int64_t kCalledNs = 10'000'000'000;
  const auto duration_ns = static_cast<int64_t>(options_.duration_seconds * 1e9);
  return joined_ || !first_.stopped_ns() ? duration_ns : std::max(duration_ns, kCalledNs);
}

// Until the recording is to end; false when the process refuses.
bool Attachment::serve() {
  Rotation rotation(recording_, run_, run_.rotation);
  bool waiting_told = false, failure_reported = false, over = false;
  while (!over) {
    for (const ReceivedSignal& signal : received_signals()) {
      if (signal.number == SIGHUP && run_.rotation.given && !signal.from_terminal) {
        rotation.ask();
        continue;
      }
      over |= signal.number == SIGINT || signal.number == SIGTERM || signal.number == SIGHUP ||
              signal.number == SIGQUIT;
      if (signal.number == SIGUSR2 && options_.marks.on_signal) recording_.mark_by_signal();
    }
    recording_.update();
    rotation.update();
    report_write_failure(recording_, run_, failure_reported);
    over |= recording_.stop_requested() || recording_.write_failure() != 0;
    if (!look_at_targets()) return false;
    const int64_t now = collector::monotonic_ns();
    if (joined_) {
      over |= recording_.is_over();
    } else {
      if (!waiting_told && now - started_ns_ > kSilentWaitNs) {
        waiting_told = true;
        tell("waiting for " + run_.name + " to " +
             (first_.stopped_ns() ? "join the recording" : "allocate something") +
             "; Ctrl-C gives up");
      }
      // Not when it has joined just now and ended: its children may still be there.
      over |= !collector::is_running(first_.process().pid) &&
              first_.look() != AttachTarget::Answer::kJoined;
    }
    over |= options_.duration_seconds > 0 && now - started_ns_ > patience_ns();
    if (!over) recording_.sleep();
  }
  if (!joined_ && !first_.withdraw()) wait_for_late_answer();
  for (const auto& child : children_) child->withdraw();
  return true;
}

// False: the first refuses.
bool Attachment::look_at_targets() {
  const AttachTarget::Answer answer = first_.look();
  if (answer == AttachTarget::Answer::kRefused) return false;
  for (const auto& child : children_) look_at_child(*child);
  std::erase_if(children_, [](const auto& child) { return child->is_done(); });
  if (answer != AttachTarget::Answer::kJoined || joined_ || !children_.empty()) return true;
  // By now, who has joined takes its children along. Those that came before that are met here.
  const size_t known = seen_children_.size();
  if (options_.children && generations_++ < kMostGenerations) add_children();
  if (known != seen_children_.size()) return true;
  joined_ = true;
  run_.obstacle.clear();
  started_ns_ = collector::monotonic_ns();
  tell_joined();
  return true;
}

void Attachment::look_at_child(AttachTarget& child) {
  try {
    const bool answered = child.answer() != AttachTarget::Answer::kNoneYet;
    const AttachTarget::Answer answer = child.look();
    if (answered) return;
    if (answer == AttachTarget::Answer::kJoined) ++children_joined_;
    if (answer == AttachTarget::Answer::kRefused) tell("left out: " + child.refusal());
    if (answer == AttachTarget::Answer::kNoneYet && !collector::is_running(child.process().pid)) {
      child.abandon();
    }
  } catch (const RunError& error) {
    tell(std::string("left out: ") + error.what());
    child.abandon();
  }
}

void Attachment::wait_for_late_answer() {
  constexpr int kRounds = 200;
  for (int i = 0; i < kRounds && first_.look() == AttachTarget::Answer::kNoneYet; ++i) {
    recording_.update();
    recording_.sleep();
  }
  if (first_.look() == AttachTarget::Answer::kJoined) run_.obstacle.clear();
  recording_.update();
}

void Attachment::give_up() {
  first_.withdraw();
  for (const auto& child : children_) child->withdraw();
  set_recording_to_wake(nullptr);
  if (run_.output.regular) unlink(run_.output.path.c_str());
}

void Attachment::tell_joined() const {
  std::string text = "attached to " + run_.name;
  if (children_joined_ != 0) text += " and " + std::to_string(children_joined_) + " below it";
  text += " after " + format_seconds(first_.process().age_seconds);
  if (first_.stopped_ns()) {
    char held[64];
    snprintf(held, sizeof held, ", which held a thread of it for %.2f ms",
             static_cast<double>(*first_.stopped_ns()) / 1e6);
    text += held;
  }
  tell(text + "; recording into " + run_.output.path + " until Ctrl-C or `memlens detach " +
       std::to_string(first_.process().pid) + "`");
}

void Attachment::tell(const std::string& text) const {
  if (!options_.quiet) print_line(text);
}

}  // namespace memlens::recording

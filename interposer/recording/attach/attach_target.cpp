#include "interposer/recording/attach/attach_target.h"

#include <unistd.h>

#include <filesystem>

#include "interposer/attach/attach_error.h"
#include "interposer/attach/descriptor_passing.h"
#include "interposer/attach/remote_process.h"
#include "interposer/recording/preload.h"
#include "interposer/recording/run_error.h"

namespace memlens::recording {
namespace {

constexpr char kWakeFunction[] = "memlens_wake";
constexpr unsigned kPollMicroseconds = 200;

// Unreadable: as if it were ours.
bool is_own_namespace(pid_t pid, const std::string& kind) {
  std::error_code own_error, error;
  const auto own = std::filesystem::read_symlink("/proc/self/ns/" + kind, own_error);
  const auto other =
      std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/ns/" + kind, error);
  return own_error || error || own == other;
}

}  // namespace

AttachTarget::AttachTarget(pid_t pid, bool wakes_itself)
    : process_(look_at_process(pid)),
      shares_processes_(is_own_namespace(pid, "pid")),
      shares_network_(is_own_namespace(pid, "net")) {
  const bool has_gate = DormantProcess::has_gate(pid);
  if (has_gate && wakes_itself) return;
  try {
    auto injection = std::make_unique<attach::Injection>(pid, kWakeFunction);
    // One that was started dormant looks by itself; but what it looks for it must be able to reach.
    if (!has_gate || injection->is_loaded_late() || !shares_namespaces())
      injection_ = std::move(injection);
  } catch (const attach::AttachError& error) {
    if (!has_gate) refuse(error.what());
  }
}

void AttachTarget::ask(const collector::SharedSegment& segment) {
  try {
    if (injection_) bring_library_in();
    dormant_.emplace(process_.pid);
    int fd = segment.fd();
    if (injection_ && !shares_namespaces()) {
      passed_fd_ = attach::pass_descriptor(*injection_, fd);
      fd = passed_fd_;
    }
    dormant_->ask(segment.description(fd));
    if (injection_) injection_->call();
  } catch (const attach::AttachError& error) {
    injection_.reset();
    refuse(error.what());
  }
}

// Whatever it was that did not work: in a process that has ended meanwhile, this is why.
void AttachTarget::refuse(const std::string& reason) const {
  const bool memory_is_gone = attach::status_field(process_.pid, "VmSize").empty();
  throw RunError(kOwnFailure, name() + " " + (memory_is_gone ? "has ended" : reason));
}

// Afterwards it can be asked as one that was started dormant.
void AttachTarget::bring_library_in() {
  injection_->start();
  stopped_ns_ = injection_->stopped_ns();
  if (injection_->is_loaded()) {
    // A forked child makes a gate of its own, and what a dead recording left is cleared away.
    injection_->call();
    while (injection_->is_calling()) usleep(kPollMicroseconds);
  } else {
    injection_->load(find_preload_library());
  }
  if (DormantProcess::has_gate(process_.pid)) return;
  refuse(
      injection_->is_loaded() && injection_->result() != 0
          ? "is already being recorded"
          : "cannot be recorded: it has no shared page to be asked through (memfd_create is not to "
            "be had, or no file descriptor is left)");
}

AttachTarget::Answer AttachTarget::look() {
  try {
    if (answer_ == Answer::kNoneYet) {
      answer_ = dormant_->look();
      // Busy with the end of its last recording: it has to be called again.
      if (injection_ && answer_ == Answer::kNoneYet && !injection_->is_calling())
        injection_->call();
    }
    if (injection_ && answer_ != Answer::kNoneYet && !injection_->is_calling()) tidy_up();
  } catch (const attach::AttachError& error) {
    injection_.reset();
    if (answer_ != Answer::kJoined) refuse(error.what());
  }
  return answer_;
}

void AttachTarget::tidy_up() {
  if (passed_fd_ >= 0) attach::close_there(*injection_, passed_fd_);
  injection_.reset();
}

void AttachTarget::abandon() {
  injection_.reset();
  answer_ = Answer::kRefused;
}

std::string AttachTarget::refusal() const {
  return name() + " cannot be recorded: " + dormant_->reason();
}

}  // namespace memlens::recording

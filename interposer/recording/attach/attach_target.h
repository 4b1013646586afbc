// One process that is to join a recording: how it is reached, and what it answers.
//
// Where its hooks look at its gate by themselves (it was started dormant), it is asked there.
// Otherwise a thread of ours is started in it, which brings the library in if need be and has it
// look (interposer/attach).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "interposer/attach/injection.h"
#include "interposer/collector/shared_segment.h"
#include "interposer/recording/attach/attached_process.h"
#include "interposer/recording/attach/dormant_process.h"

namespace memlens::recording {

class AttachTarget {
 public:
  // Looks, and touches nothing. Throws RunError with the reason and what to do. One that
  // `wakes_itself` is only asked, by way of its gate.
  explicit AttachTarget(pid_t pid, bool wakes_itself = false);

  const AttachedProcess& process() const { return process_; }
  std::string name() const { return "process " + std::to_string(process_.pid); }
  // Whether programs that it starts could join a recording of ours by themselves.
  bool shares_namespaces() const { return shares_processes_ || shares_network_; }

  // Asks it to record into the segment. Throws RunError; the process then runs on as before.
  void ask(const collector::SharedSegment& segment);

  using Answer = DormantProcess::Answer;
  // Call it now and then, also after the answer: it tidies up. Throws RunError.
  Answer look();
  Answer answer() const { return answer_; }
  std::string refusal() const;
  // Nothing is left to be looked for.
  bool is_done() const { return answer_ != Answer::kNoneYet && !injection_; }
  void abandon();
  // Takes the request back. False: the process is at it already.
  bool withdraw() { return !dormant_ || dormant_->withdraw(); }
  // How long one of its threads was held; nothing: none was.
  std::optional<int64_t> stopped_ns() const { return stopped_ns_; }

 private:
  void bring_library_in();
  void tidy_up();
  [[noreturn]] void refuse(const std::string& reason) const;

  AttachedProcess process_;
  bool shares_processes_ = true;
  bool shares_network_ = true;
  std::unique_ptr<attach::Injection> injection_;
  std::optional<DormantProcess> dormant_;
  int passed_fd_ = -1;  // the segment's, there
  Answer answer_ = Answer::kNoneYet;
  std::optional<int64_t> stopped_ns_;
};

}  // namespace memlens::recording

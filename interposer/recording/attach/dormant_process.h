// A process that has loaded the library and waits to be woken (interposer/segment/gate.h).
#pragma once

#include <sys/types.h>

#include <string>

#include "interposer/segment/gate.h"

namespace memlens::recording {

class DormantProcess {
 public:
  // Throws RunError when the process has no gate that can be opened, or somebody else is at it.
  explicit DormantProcess(pid_t pid);
  ~DormantProcess();
  DormantProcess(const DormantProcess&) = delete;
  DormantProcess& operator=(const DormantProcess&) = delete;

  // Whether `pid` has loaded the library and can be asked at all.
  static bool has_gate(pid_t pid);

  // Asks it to record into the session so described.
  void ask(const std::string& description);

  enum class Answer { kNoneYet, kJoined, kRefused };
  // Call now and then: a request that met the end of the last recording is made again.
  Answer look();
  std::string reason() const;  // of a refusal
  // Takes the request back. False: the process is at it already.
  bool withdraw();

 private:
  pid_t pid_;
  int fd_ = -1;
  segment::Gate* gate_ = nullptr;
  std::string description_;
  int busy_rounds_ = 0;
};

}  // namespace memlens::recording

// One thread of another process, stopped for a few system calls of ours and let go as it was.
//
// What took a prototype's programs with it, and is therefore so:
// * No single steps: their SIGTRAP is forced, and where the program blocks it the kernel resets the
//   program's handler. PTRACE_SYSCALL instead, with SIGTRAP and SIGSYS left unblocked.
// * Registers are put back in a stop of PTRACE_INTERRUPT: only on the way out of that one does the
//   kernel restart the system call that was interrupted.
// * epoll_wait and some others answer every stop with EINTR, which programs do not expect without a
//   handler of theirs. Their result is turned into the kernel's own "restart unless handled".
// * A thread in vfork stops when its child has gone on. Until then it can be neither had nor let
//   go, so a ThreadStopper lives in a process of ours: its end lets go of everything.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "interposer/attach/processor.h"

namespace memlens::attach {

class StoppedThread {
 public:
  pid_t number() const { return number_; }
  const Registers& registers() const { return saved_; }
  // Since when it has been held, or a moment earlier.
  int64_t since_ns() const { return since_ns_; }
  // Lets the thread make a system call, by the instruction at `instruction`; with `context` in the
  // register that worker_code() wants it in. -ESRCH: it has ended.
  int64_t make_system_call(uint64_t instruction, const SystemCall& call, uint64_t context = 0);

 private:
  friend class ThreadStopper;
  bool wait_for_system_call_stop();

  pid_t number_ = 0;
  int64_t since_ns_ = 0;
  Registers saved_{};
  uint64_t signal_mask_ = 0;
  bool has_mask_ = false;
  bool made_calls_ = false;
  std::vector<int> late_signals_;
};

// Callable from one thread.
class ThreadStopper {
 public:
  enum class Result { kStopped, kEnded, kNotPermitted, kProcessIsStopped, kDoesNotStop };
  Result stop(pid_t thread, StoppedThread& stopped, int64_t patience_ns);
  void release(pid_t process, StoppedThread& stopped);

 private:
  std::vector<pid_t> waited_for_;  // seized, and not stopped yet
};

}  // namespace memlens::attach

#include "interposer/platform/process_copy.h"

#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "interposer/platform/confinement.h"
#include "interposer/platform/futex.h"
#include "interposer/platform/process_calls.h"
#include "interposer/platform/signal_calls.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

namespace memlens::interposer::process_copy {
namespace {

constexpr unsigned kCloseRangeUnshare = 1U << 1;
constexpr int kRounds = 200;
constexpr int64_t kRoundNs = 500'000;

// No signal at its end, no debugger's of the program's, and for a moment the same descriptors.
constexpr unsigned long kCloneFlags = CLONE_FILES | CLONE_UNTRACED;

[[noreturn]] void be_the_copy(void (*act)()) {
  // Before Linux 5.9 it keeps them: then they are closed in the program as ever, but where the
  // program ends while it lives.
  syscall(SYS_close_range, 0U, ~0U, kCloseRangeUnshare);
  if (confine()) act();
  system_call::end_process(0);
}

}  // namespace

int32_t make(void (*act)()) {
  const int saved_errno = errno;
  uint64_t before = 0;
  if (!system_call::block_signals(~uint64_t{0}, before)) {
    errno = saved_errno;
    return -1;
  }
  const long pid = syscall(SYS_clone, kCloneFlags, nullptr, nullptr, nullptr, nullptr);
  if (pid == 0) be_the_copy(act);
  system_call::set_blocked_signals(before);
  errno = saved_errno;
  return pid > 0 ? static_cast<int32_t>(pid) : -1;
}

Ending look_for_end(int32_t pid) {
  const int saved_errno = errno;
  int status = 0;
  const long ended = syscall(SYS_wait4, pid, &status, __WCLONE | WNOHANG, nullptr);
  errno = saved_errno;
  if (ended == 0) return Ending::kNone;
  if (ended < 0) return Ending::kKilled;  // a program that waits for all there is was told of it
  if (!WIFEXITED(status)) return Ending::kKilled;
  return WEXITSTATUS(status) == kCrashStatus ? Ending::kCrashed : Ending::kDone;
}

Ending end(int32_t pid) {
  Ending ending = look_for_end(pid);
  if (ending != Ending::kNone) return ending;
  const int saved_errno = errno;
  syscall(SYS_kill, pid, SIGKILL);
  for (int i = 0; i < kRounds && ending == Ending::kNone; ++i) {
    platform::pause_for(kRoundNs);
    ending = look_for_end(pid);
  }
  errno = saved_errno;
  return ending;
}

}  // namespace memlens::interposer::process_copy

// How processes end: their own last word, and their parents' waiting for them (process_end.h).
//
// Nothing here holds a hook scope: waiting is long, a place where threads are cancelled and signals
// arrive, and none of it allocates.
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "interposer/allocator_statistics/statistics.h"
#include "interposer/hooks/hook_export.h"
#include "interposer/loader/next_function.h"
#include "interposer/platform/process_calls.h"
#include "interposer/session/process_end.h"

namespace memlens::interposer {
namespace {

MEMLENS_NEXT<void (*)(int)> next_exit("_exit");
MEMLENS_NEXT<pid_t (*)(int*)> next_wait("wait");
MEMLENS_NEXT<pid_t (*)(pid_t, int*, int)> next_waitpid("waitpid");
MEMLENS_NEXT<pid_t (*)(int*, int, rusage*)> next_wait3("wait3");
MEMLENS_NEXT<pid_t (*)(pid_t, int*, int, rusage*)> next_wait4("wait4");
MEMLENS_NEXT<int (*)(idtype_t, id_t, siginfo_t*, int)> next_waitid("waitid");

// `wait` is given a status of ours where the program wants none.
template <typename Wait>
pid_t wait_and_note(int* status, Wait wait) {
  int own_status = 0;
  int* const wanted = status == nullptr ? &own_status : status;
  const pid_t pid = wait(wanted);
  if (pid > 0 && (WIFEXITED(*wanted) || WIFSIGNALED(*wanted))) note_reaped(pid, *wanted);
  return pid;
}

[[noreturn]] void end_process(int status) {
  finish_statistics();
  say_last_word(status);
  if (auto* next = next_exit.get()) next(status);
  system_call::end_process(status);
}

}  // namespace
}  // namespace memlens::interposer

using namespace memlens::interposer;

MEMLENS_HOOK void _exit(int status) { end_process(status); }
MEMLENS_HOOK void _Exit(int status) { end_process(status); }

MEMLENS_HOOK pid_t wait(int* status) {
  return wait_and_note(status, [](int* wanted) { return next_wait.get()(wanted); });
}

MEMLENS_HOOK pid_t waitpid(pid_t pid, int* status, int options) {
  return wait_and_note(status,
                       [&](int* wanted) { return next_waitpid.get()(pid, wanted, options); });
}

MEMLENS_HOOK pid_t wait3(int* status, int options, rusage* usage) {
  return wait_and_note(status,
                       [&](int* wanted) { return next_wait3.get()(wanted, options, usage); });
}

MEMLENS_HOOK pid_t wait4(pid_t pid, int* status, int options, rusage* usage) {
  return wait_and_note(status,
                       [&](int* wanted) { return next_wait4.get()(pid, wanted, options, usage); });
}

MEMLENS_HOOK int waitid(idtype_t type, id_t id, siginfo_t* info, int options) {
  siginfo_t own_info{};
  siginfo_t* const wanted = info == nullptr ? &own_info : info;
  const pid_t pid_before = wanted->si_pid;
  wanted->si_pid = 0;
  const int result = next_waitid.get()(type, id, wanted, options);
  if (result != 0) wanted->si_pid = pid_before;
  if (result != 0 || (options & WNOWAIT) != 0 || wanted->si_pid == 0) return result;
  if (wanted->si_code == CLD_EXITED) note_reaped(wanted->si_pid, (wanted->si_status & 0xff) << 8);
  if (wanted->si_code == CLD_KILLED || wanted->si_code == CLD_DUMPED) {
    note_reaped(wanted->si_pid, wanted->si_status);
  }
  return result;
}

// Children that share this program's image. Each becomes a recorded process at once, before it does
// anything: its parent may exit right after (daemons), and the run must not be taken for over. That
// is why a birth is announced before the fork. Children made behind libc's back (raw fork and clone
// system calls) are noticed at their first event.
//
// Nothing here holds a hook scope: handlers registered with pthread_atfork run inside the real
// call, and what they allocate is the program's.
#include <pty.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>

#include "interposer/guest/reentrancy.h"
#include "interposer/hooks/hook_export.h"
#include "interposer/lifecycle/lifecycle.h"
#include "interposer/loader/loader_list.h"
#include "interposer/loader/next_function.h"
#include "interposer/platform/system_call.h"
#include "interposer/program/modules.h"
#include "interposer/session/chunk_producer.h"
#include "interposer/session/process.h"
#include "interposer/stacks/family_rules.h"

namespace memlens::interposer {
namespace {

MEMLENS_NEXT<pid_t (*)()> next_fork("fork");
MEMLENS_NEXT<pid_t (*)()> next_raw_fork("_Fork");
MEMLENS_NEXT<int (*)(int, int)> next_daemon("daemon");
MEMLENS_NEXT<int (*)(int*, char*, const termios*, const winsize*)> next_forkpty("forkpty");

// `fork_in_libc` returns 0 in the child. Keeps errno as it left it.
template <typename Fork>
auto fork_and_follow(Fork fork_in_libc) {
  look_at_safe_place();
  const bool announced = recording();
  if (announced) {
    announce_birth();
    const SessionStay stay;
    if (stay) {
      map_room_for_child(process.segment);
      unwind::family_rules::prepare();
    }
  }
  hold_loader_readings();
  const int32_t parent = system_call::process_id();
  const auto result = fork_in_libc();
  const int saved_errno = errno;
  release_loader_readings();
  if (system_call::process_id() != parent) {
    HookScope scope(InnerCalls::kExpected);
    forked_child_started(announced);
  } else if (result < 0 && announced) {
    withdraw_birth();
  }
  errno = saved_errno;
  return result;
}

}  // namespace
}  // namespace memlens::interposer

using namespace memlens::interposer;

MEMLENS_HOOK pid_t fork() { return fork_and_follow(next_fork.get()); }

MEMLENS_HOOK pid_t _Fork() {
  auto* next = next_raw_fork.get();
  if (next == nullptr) next = next_fork.get();  // a libc before 2.34; whoever calls this has it
  return fork_and_follow(next);
}

// Forks, and its parent exits, inside the real call: it returns in the child only, or fails before
// or after the fork.
MEMLENS_HOOK int daemon(int stay_in_directory, int keep_descriptors) {
  return fork_and_follow([&] { return next_daemon.get()(stay_in_directory, keep_descriptors); });
}

MEMLENS_HOOK int forkpty(int* controller, char* name, const termios* attributes,
                         const winsize* size) {
  // Before glibc 2.34 it is in a library of its own.
  const auto real = next_forkpty.get_or_in("libutil.so.1");
  return fork_and_follow([&] { return real(controller, name, attributes, size); });
}

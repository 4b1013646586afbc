#include "interposer/record/thread_names.h"

#include <sys/prctl.h>

#include <atomic>
#include <cerrno>

#include "interposer/definitions/definitions.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/platform/system_call.h"
#include "interposer/record/thread_state.h"
#include "interposer/session/process.h"

namespace memlens::interposer {
namespace {

constexpr size_t kNameBytes = 16;  // the kernel's, NUL included

// How often a thread has named another.
std::atomic<uint32_t> names_given{0};

void define_own_name() {
  const ThreadState* state = thread_state;
  // Without a state: the name is read when it is made.
  if (state == nullptr || state->session != process.session || !recording()) return;
  char name[kNameBytes] = {};
  const int saved_errno = errno;
  if (syscall(SYS_prctl, PR_GET_NAME, name, 0, 0, 0) == 0) {
    define_thread_name(state->thread_index, state->thread_id, name);
  }
  errno = saved_errno;
}

}  // namespace

void own_name_was_given() {
  HookScope scope;
  if (scope.outermost()) {
    define_own_name();
  } else {  // by a signal handler within a hook
    name_of_another_was_given();
  }
}

void name_of_another_was_given() { names_given.fetch_add(1, std::memory_order_relaxed); }

void poll_thread_name() {
  const uint32_t given = names_given.load(std::memory_order_relaxed);
  if (__builtin_expect(thread_state->names_seen == given, 1)) return;
  thread_state->names_seen = given;
  define_own_name();
}

}  // namespace memlens::interposer

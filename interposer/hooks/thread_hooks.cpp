// Threads' names. Threads themselves need no hook: one is known from its first event and released
// by a destructor at its end, so pthread_create stays the program's own call.
#include "interposer/hooks/thread_hooks.h"

#include <errno.h>
#include <pthread.h>
#include <sys/prctl.h>

#include <atomic>
#include <cstdarg>
#include <cstring>

#include "interposer/definitions/definitions.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/hooks/hook_export.h"
#include "interposer/loader/next_function.h"
#include "interposer/platform/system_call.h"
#include "interposer/record/thread_state.h"
#include "interposer/session/process.h"

namespace memlens::interposer {
namespace {

MEMLENS_NEXT<int (*)(pthread_t, const char*)> next_pthread_setname_np("pthread_setname_np");
MEMLENS_NEXT<int (*)(int, ...)> next_prctl("prctl");

constexpr size_t kNameBytes = 16;  // the kernel's, NUL included

// How often a thread has named another. The named one cannot be told from its pthread_t, so each
// looks at its own name when it next writes a time record.
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

void name_was_given() {
  HookScope scope;
  if (scope.outermost()) {
    define_own_name();
  } else {  // by a signal handler within a hook
    names_given.fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace

void poll_thread_name() {
  const uint32_t given = names_given.load(std::memory_order_relaxed);
  if (__builtin_expect(thread_state->names_seen == given, 1)) return;
  thread_state->names_seen = given;
  define_own_name();
}

}  // namespace memlens::interposer

using namespace memlens::interposer;

MEMLENS_HOOK int pthread_setname_np(pthread_t thread, const char* name) {
  const int status = next_pthread_setname_np.get()(thread, name);
  if (status != 0) return status;
  if (pthread_equal(thread, pthread_self())) {
    name_was_given();
  } else {
    names_given.fetch_add(1, std::memory_order_relaxed);
  }
  return status;
}

MEMLENS_HOOK int prctl(int option, ...) {
  unsigned long arguments[4];
  va_list list;
  va_start(list, option);
  for (unsigned long& argument : arguments) argument = va_arg(list, unsigned long);
  va_end(list);
  const int status =
      next_prctl.get()(option, arguments[0], arguments[1], arguments[2], arguments[3]);
  if (option == PR_SET_NAME && status == 0) name_was_given();
  return status;
}

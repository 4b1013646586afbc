#include "interposer/record/thread_names.h"

#include <atomic>
#include <cerrno>

#include "interposer/definitions/definitions.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/platform/thread_calls.h"
#include "interposer/record/thread_state.h"
#include "interposer/session/process.h"

namespace memlens::interposer {
namespace {

// How often a thread has named another.
std::atomic<uint32_t> names_given{0};

void define_own_name() {
  const ThreadState* state = thread_state;
  // Without a state: the name is read when it is made.
  if (state == nullptr || state->session != process.session || !recording()) return;
  char name[system_call::kThreadNameBytes] = {};
  const int saved_errno = errno;
  if (system_call::read_thread_name(name)) {
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

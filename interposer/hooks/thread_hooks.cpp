// Threads' names, and a program that is about to lock itself in. Threads themselves need no hook:
// one is known from its first event and released by a destructor at its end, so pthread_create
// stays the program's own call.

#include <pthread.h>
#include <sys/prctl.h>

#include <cstdarg>

#include "interposer/allocator_statistics/statistics.h"
#include "interposer/hooks/hook_export.h"
#include "interposer/hooks/program_start.h"
#include "interposer/loader/next_function.h"
#include "interposer/program/modules.h"
#include "interposer/record/resident_memory.h"
#include "interposer/record/thread_names.h"

namespace memlens::interposer {
namespace {

MEMLENS_NEXT<int (*)(pthread_t, const char*)> next_pthread_setname_np("pthread_setname_np");
MEMLENS_NEXT<int (*)(int, ...)> next_prctl("prctl");

}  // namespace
}  // namespace memlens::interposer

using namespace memlens::interposer;

MEMLENS_HOOK int pthread_setname_np(pthread_t thread, const char* name) {
  look_at_safe_place();
  const int status = next_pthread_setname_np.get()(thread, name);
  if (status != 0) return status;
  if (pthread_equal(thread, pthread_self())) {
    own_name_was_given();
  } else {
    name_of_another_was_given();
  }
  return status;
}

MEMLENS_HOOK int prctl(int option, ...) {
  unsigned long arguments[4];
  va_list list;
  va_start(list, option);
  for (unsigned long& argument : arguments) argument = va_arg(list, unsigned long);
  va_end(list);
  // A child of vfork does it for itself.
  if ((option == PR_SET_NO_NEW_PRIVS || option == PR_SET_SECCOMP) && !in_unrecorded_child()) {
    expect_sandbox();
    end_statistics();
  }
  const int status =
      next_prctl.get()(option, arguments[0], arguments[1], arguments[2], arguments[3]);
  if (option == PR_SET_NAME && status == 0) {
    look_at_safe_place();
    own_name_was_given();
  }
  return status;
}

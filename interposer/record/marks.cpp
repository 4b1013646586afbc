// What a program may say to its own recording; the only exports that are no hooks. A program finds
// them by dlsym, and where nothing records they are not there.
#include <cerrno>
#include <cstring>

#include "interposer/allocator_statistics/statistics.h"
#include "interposer/definitions/definitions.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/record/thread_state.h"
#include "interposer/session/control_export.h"
#include "interposer/session/process.h"

using namespace memlens::interposer;

// Names this moment; of a name longer than format::kMaxMarkBytes, the beginning. From any thread,
// also where nothing is recorded. Not from a signal handler.
MEMLENS_CONTROL void memlens_mark(const char* name) {
  if (name == nullptr || *name == '\0' || !recording()) return;
  const HookScope scope;
  const SessionStay stay;
  if (!stay) return;
  const int saved_errno = errno;
  ThreadState* state = thread_state;
  if (state != nullptr && state->session != process.session) state = nullptr;
  define_mark(state != nullptr ? state->thread_index : 0, name,
              strnlen(name, memlens::format::kMaxMarkBytes));
  // The thread's next event carries its own time, so that it falls behind the mark.
  if (state != nullptr) state->tick = state->present_tick->load(std::memory_order_relaxed) - 1;
  if (scope.outermost()) take_statistics_at_mark();
  errno = saved_errno;
}

// Asks for a table of the lines of a function (`memlens lines --profiled`, and `memlens run` when
// it ends). Callable as memlens_mark() is.
MEMLENS_CONTROL void memlens_profiled(const char* file, const char* name, unsigned first_line,
                                      unsigned line_count) {
  if (file == nullptr || name == nullptr || !recording()) return;
  const HookScope scope;
  const SessionStay stay;
  if (!stay) return;
  const int saved_errno = errno;
  define_profiled_function(file, name, first_line, line_count);
  errno = saved_errno;
}

// 1: what this process allocates is being recorded now.
MEMLENS_CONTROL int memlens_enabled(void) { return recording() ? 1 : 0; }

// Which recording that is, by a number of its own in this process; 0: none. Who has told one what
// it needs to know sees by it that the next one has not been told.
MEMLENS_CONTROL unsigned memlens_recording(void) { return recording() ? process.session : 0; }

// The calling thread as the interpreter knows it: its PyThreadState.
#pragma once

#include <atomic>
#include <cstdint>

#include "interposer/python/layout.h"
#include "interposer/python/runtime.h"

namespace memlens::interposer::python {

// What is kept of it from one call to the next. Zeroed memory is a valid initial state.
struct InterpreterThread {
  uint64_t self;      // pthread_self(), as the interpreter knows threads
  const void* state;  // the PyThreadState last seen to be this thread's
};

// With the GIL released, what the thread was given earlier; its frames are frozen until it takes
// the GIL again. Once the interpreter shuts down it frees the states of threads it leaves behind
// without telling them, so none can be trusted then.
inline const void* released_thread_state() {
  return runtime.is_initialized() != 0 ? runtime.own_thread_state() : nullptr;
}

// To be called now and then while Python is initialised: from then on runtime's
// current_thread_state_slot is read, if it has been seen to hold what the function returns.
void trust_current_thread_state_slot();

extern std::atomic<const void* const*> current_thread_state_slot;  // nullptr: not trusted

inline const void* current_thread_state() {
  const void* const* slot = current_thread_state_slot.load(std::memory_order_relaxed);
  return slot != nullptr ? *const_cast<const void* const volatile*>(slot)
                         : runtime.current_thread_state();
}

inline uint64_t thread_id_of(const void* thread_state) {
  return read_field<uint64_t>(thread_state, static_cast<size_t>(runtime.layout.thread_id));
}

const void* find_thread_state_to_311(InterpreterThread& thread, const void* current);

// To 3.11 the current state is that of whichever thread holds the GIL. Another thread's state may
// be freed while it is looked at, so it is only looked at when it can be ours. nullptr: none.
inline const void* thread_state_to_311(InterpreterThread& thread) {
  const void* current = current_thread_state();
  if (__builtin_expect(current != nullptr && current == thread.state, 1) &&
      __builtin_expect(thread_id_of(current) == thread.self, 1)) {
    return current;
  }
  return find_thread_state_to_311(thread, current);
}

// The calling thread's, in either case; nullptr: none.
template <typename L>
inline const void* thread_state_of(InterpreterThread& thread) {
  if (L::get().minor < 12) return thread_state_to_311(thread);
  const void* const current = runtime.current_thread_state();
  return current != nullptr ? current : released_thread_state();
}

}  // namespace memlens::interposer::python

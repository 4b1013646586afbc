#include "interposer/python/thread_of_interpreter.h"

#include <pthread.h>

namespace memlens::interposer::python {

std::atomic<const void* const*> current_thread_state_slot{nullptr};

void trust_current_thread_state_slot() {
  const void* const* slot = runtime.current_thread_state_slot;
  if (slot == nullptr || current_thread_state_slot.load(std::memory_order_relaxed) != nullptr) {
    return;
  }
  const void* const current = runtime.current_thread_state();
  if (current != nullptr && *slot == current) {
    current_thread_state_slot.store(slot, std::memory_order_relaxed);
  }
}

const void* find_thread_state_to_311(InterpreterThread& thread, const void* current) {
  if (thread.self == 0) thread.self = pthread_self();
  const void* own = runtime.own_thread_state();
  // A thread that runs another interpreter than the main one has a second state, current now.
  const bool may_be_second = own != current && current != nullptr &&
                             runtime.first_interpreter != nullptr &&
                             runtime.main_interpreter != nullptr &&
                             runtime.first_interpreter() != runtime.main_interpreter();
  if (current != nullptr && (own == current || may_be_second) &&
      thread_id_of(current) == thread.self) {
    thread.state = current;
    return current;
  }
  return own == current ? nullptr : released_thread_state();
}

}  // namespace memlens::interposer::python

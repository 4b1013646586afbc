// Threads, as the kernel knows them. As in system_call.h: no libc state but errno, any context.
#pragma once

#include <linux/membarrier.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace memlens::interposer::system_call {

inline constexpr size_t kThreadNameBytes = 16;  // the kernel's, NUL included

// Of the calling thread.
inline bool read_thread_name(char (&name)[kThreadNameBytes]) {
  return syscall(SYS_prctl, PR_GET_NAME, name, 0, 0, 0) == 0;
}
// Of this process. Changes errno.
inline bool thread_is_gone(int32_t thread_id) {
  return syscall(SYS_tgkill, syscall(SYS_getpid), thread_id, 0) != 0 && errno == ESRCH;
}
inline void let_others_run() { syscall(SYS_sched_yield); }

// Whether the calling thread runs on its alternate signal stack, and which that is.
inline bool on_alternate_stack(stack_t& stack) {
  return syscall(SYS_sigaltstack, nullptr, &stack) == 0 && (stack.ss_flags & SS_ONSTACK) != 0;
}

// Every thread's earlier stores are seen, and it sees ours, when this returns true; false where the
// kernel refuses. One thread at a time.
inline bool make_all_threads_see() {
  static bool registered = false;
  if (!registered) {
    registered = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) == 0;
  }
  return registered && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0;
}

}  // namespace memlens::interposer::system_call

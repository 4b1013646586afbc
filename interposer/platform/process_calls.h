// Starting and ending processes. As in system_call.h: no libc state but errno, any context.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace memlens::interposer::system_call {

// No handler of pthread_atfork runs; the child may call nothing but what stands in this folder. 0
// in the child.
inline long fork_process() { return syscall(SYS_fork); }
// Returns only when it has failed.
inline void execute(const char* path, const char* const* arguments,
                    const char* const* environment) {
  syscall(SYS_execve, path, arguments, environment);
}
[[noreturn]] inline void end_process(int status) {
  syscall(SYS_exit_group, status);
  __builtin_unreachable();
}
// Until that child has ended.
inline void wait_for_child(long pid) { syscall(SYS_wait4, pid, nullptr, 0, nullptr); }
inline void leave_terminal() { syscall(SYS_setsid); }
inline bool make_pipe(int (&ends)[2]) { return syscall(SYS_pipe2, ends, 0) == 0; }

}  // namespace memlens::interposer::system_call

// A descriptor that tells of a process's end.
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace memlens::platform {

// -1 with ESRCH: there is no such process; else the kernel has no such descriptors.
inline int open_pidfd(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

}  // namespace memlens::platform

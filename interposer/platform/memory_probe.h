// Whether memory can be read or written, by asking the kernel: what is wrong shows as an error and
// not as a signal. As in system_call.h: any context. Each changes errno.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace memlens::interposer::system_call {

// The eight bytes that hold `address`. Precondition: not in the first page, which is no memory to
// this call. The kernel copies the signal set in before it looks at the nonsensical first argument:
// EFAULT for memory that cannot be read, EINVAL otherwise. Unlike process_vm_readv it is in every
// seccomp filter's list of allowed calls; unlike mincore it knows PROT_NONE.
inline bool can_read(uintptr_t address) {
  constexpr size_t kKernelSignalSetBytes = 8;
  return syscall(SYS_rt_sigprocmask, ~0, address & ~uintptr_t{7}, nullptr, kKernelSignalSetBytes) !=
             -1 ||
         errno != EFAULT;
}

// The four bytes at `address`, without changing them: the kernel adds 0, atomically, or cannot.
inline bool can_write(uintptr_t address) {
  uint32_t nobody_waits = 0;
  return syscall(SYS_futex, &nobody_waits, FUTEX_WAKE_OP_PRIVATE, 0, nullptr, address,
                 FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_LT, 0)) >= 0;
}

// Own memory that may go at any time. False with EFAULT: it is gone; else the kernel does not tell.
inline bool copy_if_there(void* to, const void* from, size_t bytes) {
  const iovec here{to, bytes};
  const iovec there{const_cast<void*>(from), bytes};
  return syscall(SYS_process_vm_readv, syscall(SYS_getpid), &here, 1ul, &there, 1ul, 0ul) ==
         static_cast<long>(bytes);
}

}  // namespace memlens::interposer::system_call

// Where a thread was when a signal came.
#pragma once

#include <ucontext.h>

#include <cstdint>

namespace memlens::platform {

// `context` is a signal handler's third argument. 0 on a processor that is not known here.
inline uintptr_t interrupted_address(const void* context) {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<uintptr_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return machine.pc;
#else
  (void)machine;
  return 0;
#endif
}

}  // namespace memlens::platform

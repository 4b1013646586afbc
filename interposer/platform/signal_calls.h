// Signals, as the kernel keeps them. As in system_call.h: no libc state but errno, any context.
#pragma once

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace memlens::interposer::system_call {

inline constexpr int kSignals = 64;

// Bit n - 1: signal n.
inline constexpr size_t kSignalSetBytes = 8;

// Of the calling thread.
inline bool block_signals(uint64_t signals, uint64_t& before) {
  return syscall(SYS_rt_sigprocmask, SIG_BLOCK, &signals, &before, kSignalSetBytes) == 0;
}
inline void set_blocked_signals(uint64_t blocked) {
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, nullptr, kSignalSetBytes);
}

// As the kernel has it; libc hides where handlers return to.
struct SignalAction {
  uintptr_t handler;
  unsigned long flags;
  uintptr_t restorer;
  uint64_t mask;
};

// `handler` is not to return, and runs on the alternate stack; nullptr: what the kernel does.
inline bool write_signal_action(int signal, void (*handler)(int)) {
  SignalAction action{};
  if (handler != nullptr) {
    action.handler = reinterpret_cast<uintptr_t>(handler);
    action.flags = SA_ONSTACK;
#ifdef __x86_64__
    constexpr unsigned long kHasRestorer = 0x04000000;  // or the kernel refuses to call it
    action.flags |= kHasRestorer;
    action.restorer = action.handler;
#endif
  }
  return syscall(SYS_rt_sigaction, signal, &action, nullptr, kSignalSetBytes) == 0;
}

}  // namespace memlens::interposer::system_call

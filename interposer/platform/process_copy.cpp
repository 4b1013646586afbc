#include "interposer/platform/process_copy.h"

#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "interposer/platform/confinement.h"
#include "interposer/platform/futex.h"
#include "interposer/platform/process_calls.h"
#include "interposer/platform/signal_calls.h"
#include "interposer/platform/system_call.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

namespace memlens::interposer::process_copy {
namespace {

constexpr unsigned kCloseRangeUnshare = 1U << 1;
constexpr int kUnconfinedStatus = 2;
static_assert(kUnconfinedStatus != kCrashStatus);
constexpr int kMostDescriptors = 4096;  // nobody with more is copied
constexpr int kRounds = 200;
constexpr int64_t kRoundNs = 500'000;

// No signal at its end, no debugger's of the program's, and for a moment the same descriptors.
constexpr unsigned long kCloneFlags = CLONE_FILES | CLONE_UNTRACED;

// Of the copy alone: a program that makes none has address space for it, and no memory.
constexpr size_t kStackBytes = 64 << 10;
char* stack = nullptr;

void (*wanted_act)() = nullptr;
const void* shared_pages = nullptr;
size_t shared_bytes = 0;

// Before Linux 5.9 there is no call for it.
bool let_go_of_descriptors() {
  if (syscall(SYS_close_range, 0U, ~0U, kCloseRangeUnshare) == 0) return true;
  if (syscall(SYS_unshare, CLONE_FILES) != 0) return false;
  for (int fd = 0; fd < kMostDescriptors; ++fd) system_call::close_file(fd);
  return true;
}

[[noreturn]] void be_the_copy() {
  if (!let_go_of_descriptors() || !confine(shared_pages, shared_bytes)) {
    system_call::end_process(kUnconfinedStatus);
  }
  wanted_act();
  system_call::end_process(0);
}

// As fork, but that the child begins in be_the_copy, on a stack of its own: it shall not write to
// the one that the calling thread goes on with.
long clone_on_own_stack() {
  char* const top = stack + kStackBytes;
#if defined(__x86_64__)
  long result = SYS_clone;
  register long no_thread asm("r10") = 0;
  register long no_storage asm("r8") = 0;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "pushq $0\n\t"  // nobody returns to there
      "jmp *%%rbx\n"
      "1:"
      : "+a"(result)
      : "D"(kCloneFlags), "S"(top), "d"(0L), "r"(no_thread), "r"(no_storage), "b"(&be_the_copy)
      : "rcx", "r11", "cc", "memory");
  return result < 0 ? -1 : result;
#elif defined(__aarch64__)
  register long result asm("x0") = static_cast<long>(kCloneFlags);
  register char* stack_top asm("x1") = top;
  register long no_parent asm("x2") = 0;
  register long no_storage asm("x3") = 0;
  register long no_thread asm("x4") = 0;
  register long number asm("x8") = SYS_clone;
  register void (*begin)() asm("x16") = &be_the_copy;
  asm volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x30, xzr\n\t"  // nobody returns to there
      "br x16\n"
      "1:"
      : "+r"(result)
      : "r"(stack_top), "r"(no_parent), "r"(no_storage), "r"(no_thread), "r"(number), "r"(begin)
      : "cc", "memory");
  return result < 0 ? -1 : result;
#else
  (void)top;
  return -1;
#endif
}

}  // namespace

int32_t make(void (*act)(), const void* shared, size_t bytes) {
  const int saved_errno = errno;
  if (stack == nullptr) {
    void* pages = system_call::map(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages != MAP_FAILED) stack = static_cast<char*>(pages);
  }
  wanted_act = act;
  shared_pages = shared;
  shared_bytes = bytes;
  long pid = -1;
  uint64_t before = 0;
  if (stack != nullptr && system_call::block_signals(~uint64_t{0}, before)) {
    pid = clone_on_own_stack();
    system_call::set_blocked_signals(before);
  }
  errno = saved_errno;
  return static_cast<int32_t>(pid);
}

Ending look_for_end(int32_t pid) {
  const int saved_errno = errno;
  int status = 0;
  const long ended = syscall(SYS_wait4, pid, &status, __WCLONE | WNOHANG, nullptr);
  errno = saved_errno;
  if (ended == 0) return Ending::kNone;
  if (ended < 0) return Ending::kKilled;  // a program that waits for all there is was told of it
  if (!WIFEXITED(status)) return Ending::kKilled;
  const int code = WEXITSTATUS(status);
  if (code == kUnconfinedStatus) return Ending::kUnconfined;
  return code == kCrashStatus ? Ending::kCrashed : Ending::kDone;
}

Ending end(int32_t pid) {
  Ending ending = look_for_end(pid);
  if (ending != Ending::kNone) return ending;
  const int saved_errno = errno;
  syscall(SYS_kill, pid, SIGKILL);
  for (int i = 0; i < kRounds && ending == Ending::kNone; ++i) {
    platform::pause_for(kRoundNs);
    ending = look_for_end(pid);
  }
  errno = saved_errno;
  return ending;
}

}  // namespace memlens::interposer::process_copy

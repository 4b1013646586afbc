#include "interposer/platform/confinement.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>

#include "interposer/platform/proc_lines.h"
#include "interposer/platform/process_calls.h"
#include "interposer/platform/signal_calls.h"
#include "interposer/platform/system_call.h"

namespace memlens::interposer {
namespace {

constexpr long kMostMicroseconds = 300'000;
constexpr size_t kHandlerStackBytes = 16 << 10;

// Without abort's own message, and without a death that the kernel would log.
void end_in_silence(int) { system_call::end_process(kCrashStatus); }

// Crashes end it; the rest is as if nobody had asked for anything.
bool reset_signals() {
  stack_t stack{};
  stack.ss_sp = system_call::map(nullptr, kHandlerStackBytes, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stack.ss_size = kHandlerStackBytes;
  if (stack.ss_sp == MAP_FAILED || syscall(SYS_sigaltstack, &stack, nullptr) != 0) return false;
  for (int signal = 1; signal <= system_call::kSignals; ++signal) {
    const bool fatal = signal == SIGSEGV || signal == SIGBUS || signal == SIGILL ||
                       signal == SIGFPE || signal == SIGTRAP || signal == SIGABRT ||
                       signal == SIGSYS;
    system_call::write_signal_action(signal, fatal ? &end_in_silence : nullptr);
  }
  return true;
}

bool end_soon() {
  itimerval timer{};
  timer.it_value.tv_usec = kMostMicroseconds;
  return syscall(SYS_setitimer, ITIMER_REAL, &timer, nullptr) == 0;
}

// Where the program's threads have a processor before all others, they keep it. (Who has given way
// already may not ask for more.)
bool give_way() {
  const long policy = syscall(SYS_sched_getscheduler, 0);
  if (policy != SCHED_FIFO && policy != SCHED_RR) return policy >= 0;
  const sched_param none{};
  return syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &none) == 0;
}

// "7f00-7f10 rw-s 00000000 00:01 4711  path".
bool keep_to_own_memory(const void* shared, size_t bytes) {
  constexpr size_t kMostText = size_t{32} << 20;  // the most ranges there may be
  platform::ProcLines lines("/proc/self/maps", kMostText);
  while (const char* line = lines.next()) {
    const uintptr_t start = platform::parse_hex(line);
    if (*line++ != '-') return false;
    const uintptr_t end = platform::parse_hex(line);
    const char* rights = line + 1;
    if (*line != ' ' || rights[0] == '\0' || rights[1] != 'w' || rights[3] != 's') continue;
    const auto kept = reinterpret_cast<uintptr_t>(shared);
    const int protection = rights[0] == 'r' ? PROT_READ : PROT_NONE;
    const auto protect = [protection](uintptr_t from, uintptr_t to) {
      return from >= to ||
             system_call::protect(reinterpret_cast<void*>(from), to - from, protection) == 0;
    };
    if (kept + bytes <= start || kept >= end) {
      if (!protect(start, end)) return false;
    } else if (!protect(start, kept) || !protect(kept + bytes, end)) {
      return false;
    }
  }
  return lines.at_end();
}

#ifdef __x86_64__
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#else
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#endif

constexpr uint32_t kAllowed[] = {SYS_mmap,          SYS_munmap,
                                 SYS_mremap,        SYS_madvise,
                                 SYS_mprotect,      SYS_brk,
                                 SYS_futex,         SYS_sched_yield,
                                 SYS_nanosleep,     SYS_clock_nanosleep,
                                 SYS_clock_gettime, SYS_gettimeofday,
                                 SYS_getpid,        SYS_gettid,
                                 SYS_getrusage,     SYS_rt_sigprocmask,
                                 SYS_rt_sigreturn,  SYS_exit,
                                 SYS_exit_group};
constexpr unsigned kAllowedCount = sizeof kAllowed / sizeof kAllowed[0];

constexpr sock_filter load(size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset));
}
constexpr sock_filter skip_if(uint32_t value, unsigned if_equal, unsigned otherwise) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, static_cast<uint8_t>(if_equal),
                  static_cast<uint8_t>(otherwise));
}

bool allow_memory_alone() {
  sock_filter filter[kAllowedCount + 5];
  unsigned count = 0;
  filter[count++] = load(offsetof(seccomp_data, arch));
  filter[count++] = skip_if(kArchitecture, 0, kAllowedCount + 1);
  filter[count++] = load(offsetof(seccomp_data, nr));
  for (unsigned i = 0; i < kAllowedCount; ++i) {
    filter[count++] = skip_if(kAllowed[i], kAllowedCount - i, 0);
  }
  filter[count++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  filter[count++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const sock_fprog program{static_cast<unsigned short>(count), filter};
  return syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

}  // namespace

bool confine(const void* shared, size_t bytes) {
  syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // A pipe that takes core files is not asked for the limit.
  const rlimit none{0, 0};
  if (syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
      syscall(SYS_prlimit64, 0, RLIMIT_CORE, &none, nullptr) != 0) {
    return false;
  }
  if (!give_way() || !reset_signals() || !end_soon() || !keep_to_own_memory(shared, bytes) ||
      !allow_memory_alone()) {
    return false;
  }
  system_call::set_blocked_signals(0);
  return true;
}

}  // namespace memlens::interposer

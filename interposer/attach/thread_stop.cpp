#include "interposer/attach/thread_stop.h"

#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "interposer/platform/clock.h"

namespace memlens::attach {
namespace {

using platform::monotonic_ns;

constexpr size_t kMaskBytes = 8;                 // the kernel's sigset_t
constexpr int kSystemCallStop = SIGTRAP | 0x80;  // by PTRACE_O_TRACESYSGOOD

bool is_event_stop(int status) { return status >> 16 == PTRACE_EVENT_STOP; }

bool is_group_stop_signal(int signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

long resume(__ptrace_request how, pid_t thread, int signal) {
  return ptrace(how, thread, nullptr, static_cast<long>(signal));
}

// These end with EINTR when the thread is stopped, where others are made again (signal(7), and
// what has a timeout on a socket). Not close: it has closed by then.
bool answers_stop_with_eintr(int64_t call) {
  static constexpr int64_t kCalls[] = {
#ifdef SYS_epoll_wait
      SYS_epoll_wait,
#endif
      SYS_epoll_pwait,
#ifdef SYS_epoll_pwait2
      SYS_epoll_pwait2,
#endif
      SYS_semop,          SYS_semtimedop, SYS_io_getevents,
#ifdef SYS_io_pgetevents
      SYS_io_pgetevents,
#endif
#ifdef SYS_io_uring_enter
      SYS_io_uring_enter,
#endif
      SYS_msgrcv,         SYS_msgsnd,     SYS_rt_sigtimedwait, SYS_read,    SYS_readv,
      SYS_write,          SYS_writev,     SYS_recvfrom,        SYS_recvmsg, SYS_recvmmsg,
      SYS_sendto,         SYS_sendmsg,    SYS_sendmmsg,        SYS_connect, SYS_accept,
      SYS_accept4,        SYS_sendfile,
  };
  return std::find(std::begin(kCalls), std::end(kCalls), call) != std::end(kCalls);
}

}  // namespace

ThreadStopper::Result ThreadStopper::stop(pid_t thread, StoppedThread& stopped,
                                          int64_t patience_ns) {
  stopped = StoppedThread();
  const auto waited = std::find(waited_for_.begin(), waited_for_.end(), thread);
  if (waited != waited_for_.end()) {
    waited_for_.erase(waited);
  } else if (ptrace(PTRACE_SEIZE, thread, nullptr, PTRACE_O_TRACESYSGOOD) != 0) {
    return errno == EPERM ? Result::kNotPermitted : Result::kEnded;
  }
  ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
  constexpr int64_t kSpinNs = 2'000'000;
  constexpr useconds_t kPauseMicroseconds = 500;
  const int64_t begin = monotonic_ns();
  stopped.since_ns_ = begin;
  for (;;) {
    const int64_t look_ns = monotonic_ns();
    int status = 0;
    const pid_t waited_thread = waitpid(thread, &status, __WALL | WNOHANG);
    if (waited_thread == 0) {
      stopped.since_ns_ = look_ns;
      const int64_t elapsed = look_ns - begin;
      if (elapsed > patience_ns) {
        waited_for_.push_back(thread);
        return Result::kDoesNotStop;
      }
      if (elapsed < kSpinNs) {
        sched_yield();
      } else {
        usleep(kPauseMicroseconds);
      }
      continue;
    }
    if (waited_thread < 0 || !WIFSTOPPED(status)) return Result::kEnded;
    if (!is_event_stop(status)) {
      resume(PTRACE_CONT, thread, WSTOPSIG(status));  // a signal on its way to the program
      continue;
    }
    if (is_group_stop_signal(WSTOPSIG(status))) {
      resume(PTRACE_DETACH, thread, 0);
      return Result::kProcessIsStopped;
    }
    break;
  }
  stopped.number_ = thread;
  if (!get_registers(thread, stopped.saved_)) return Result::kEnded;
  stopped.has_mask_ = ptrace(PTRACE_GETSIGMASK, thread, kMaskBytes, &stopped.signal_mask_) == 0;
  uint64_t all = ~(uint64_t{1} << (SIGTRAP - 1) | uint64_t{1} << (SIGSYS - 1));
  ptrace(PTRACE_SETSIGMASK, thread, kMaskBytes, &all);
  return Result::kStopped;
}

void ThreadStopper::release(pid_t process, StoppedThread& stopped) {
  const pid_t thread = stopped.number_;
  if (stopped.made_calls_) {
    ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
    int status = 0;
    int signal = 0;
    while (resume(PTRACE_CONT, thread, signal) == 0 && waitpid(thread, &status, __WALL) > 0 &&
           WIFSTOPPED(status) && !is_event_stop(status)) {
      stopped.late_signals_.push_back(WSTOPSIG(status));
    }
  }
  Registers registers = stopped.saved_;
  if (system_call_result(registers) == -EINTR &&
      answers_stop_with_eintr(interrupted_system_call(registers))) {
    restart_unless_handled(registers);
  }
  set_registers(thread, registers);
  if (stopped.has_mask_) ptrace(PTRACE_SETSIGMASK, thread, kMaskBytes, &stopped.signal_mask_);
  resume(PTRACE_DETACH, thread, 0);
  for (const int signal : stopped.late_signals_) {
    if (signal == SIGSYS) continue;  // what a filter says to a call of ours
    if (is_group_stop_signal(signal)) {
      kill(process, signal);
    } else {
      syscall(SYS_tgkill, process, thread, signal);
    }
  }
}

bool StoppedThread::wait_for_system_call_stop() {
  for (;;) {
    int status = 0;
    if (resume(PTRACE_SYSCALL, number_, 0) != 0 || waitpid(number_, &status, __WALL) < 0 ||
        !WIFSTOPPED(status)) {
      return false;
    }
    if (is_event_stop(status)) continue;  // the process is being stopped; its turn comes later
    if (WSTOPSIG(status) == kSystemCallStop || WSTOPSIG(status) == SIGSYS) return true;
    late_signals_.push_back(WSTOPSIG(status));
  }
}

int64_t StoppedThread::make_system_call(uint64_t instruction, const SystemCall& call,
                                        uint64_t context) {
  Registers registers = saved_;
  prepare_system_call(registers, instruction, call);
  if (context != 0) set_context(registers, context);
  made_calls_ = true;
  // Into the call, and out of it. A filter's trap is a signal, which is not delivered.
  if (!set_registers(number_, registers) || !wait_for_system_call_stop()) return -ESRCH;
  if (!wait_for_system_call_stop() || !get_registers(number_, registers)) return -ESRCH;
  return system_call_result(registers);
}

}  // namespace memlens::attach

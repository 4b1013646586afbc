#include "interposer/attach/seccomp_check.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

#include "interposer/attach/processor.h"

namespace memlens::attach {
namespace {

bool load(const sock_filter& instruction, const seccomp_data& data, const uint32_t* memory,
          uint32_t& value) {
  switch (BPF_MODE(instruction.code)) {
    case BPF_IMM:
      value = instruction.k;
      return true;
    case BPF_LEN:
      value = sizeof data;
      return true;
    case BPF_MEM:
      if (instruction.k >= BPF_MEMWORDS) return false;
      value = memory[instruction.k];
      return true;
    case BPF_ABS:
      if (instruction.k > sizeof data - sizeof value) return false;
      std::memcpy(&value, reinterpret_cast<const char*>(&data) + instruction.k, sizeof value);
      return true;
    default:
      return false;
  }
}

uint32_t calculate(uint16_t code, uint32_t a, uint32_t operand) {
  switch (BPF_OP(code)) {
    case BPF_ADD:
      return a + operand;
    case BPF_SUB:
      return a - operand;
    case BPF_MUL:
      return a * operand;
    case BPF_DIV:
      return operand == 0 ? 0 : a / operand;
    case BPF_OR:
      return a | operand;
    case BPF_AND:
      return a & operand;
    case BPF_XOR:
      return a ^ operand;
    case BPF_LSH:
      return operand < 32 ? a << operand : 0;
    case BPF_RSH:
      return operand < 32 ? a >> operand : 0;
    default:
      return -a;  // BPF_NEG
  }
}

bool jumps(uint16_t code, uint32_t a, uint32_t operand) {
  switch (BPF_OP(code)) {
    case BPF_JEQ:
      return a == operand;
    case BPF_JGT:
      return a > operand;
    case BPF_JGE:
      return a >= operand;
    default:
      return (a & operand) != 0;  // BPF_JSET
  }
}

struct NeededCall {
  const char* name;
  uint64_t number;
  std::array<uint64_t, 6> arguments;
  bool must_succeed;  // else: only that it harms nobody
};

constexpr uint64_t kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr uint64_t kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                             CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
                             CLONE_CHILD_CLEARTID;

// First what the injector's threads, libc's thread start and dlopen do; then what the library does
// when it joins, records and leaves.
const NeededCall kNeededCalls[] = {
    {"mmap", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, kAnonymous, ~0ull, 0}, true},
    {"mmap", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, 3, 0}, true},
    {"mprotect", SYS_mprotect, {4096, 4096, PROT_READ | PROT_EXEC, 0, 0, 0}, true},
    {"clone", SYS_clone, {kThread, 4096, 0, 0, 0, 0}, true},
#ifdef SYS_clone3
    {"clone3", SYS_clone3, {4096, 88, 0, 0, 0, 0}, false},
#endif
    {"set_robust_list", SYS_set_robust_list, {4096, 24, 0, 0, 0, 0}, false},
#ifdef SYS_rseq
    {"rseq", SYS_rseq, {4096, 32, 0, 0, 0, 0}, false},
#endif
    {"gettid", SYS_gettid, {}, true},
    {"futex", SYS_futex, {4096, 128, 0, 4096, 0, 0}, true},
    {"exit", SYS_exit, {}, true},
    {"rt_sigprocmask", SYS_rt_sigprocmask, {2, 4096, 4096, 8, 0, 0}, true},
    {"rt_sigaction", SYS_rt_sigaction, {33, 4096, 4096, 8, 0, 0}, false},
    {"openat",
     SYS_openat,
     {static_cast<uint64_t>(AT_FDCWD), 4096, O_RDONLY | O_CLOEXEC, 0, 0, 0},
     true},
    {"read", SYS_read, {3, 4096, 832, 0, 0, 0}, true},
    {"pread64", SYS_pread64, {3, 4096, 832, 0, 0, 0}, true},
    {"fstat", SYS_fstat, {3, 4096, 0, 0, 0, 0}, false},
    {"newfstatat", SYS_newfstatat, {3, 4096, 4096, 0x1000, 0, 0}, false},
    {"close", SYS_close, {3, 0, 0, 0, 0, 0}, true},
    {"munmap", SYS_munmap, {4096, 4096, 0, 0, 0, 0}, true},
    {"madvise", SYS_madvise, {4096, 4096, MADV_DONTNEED, 0, 0, 0}, false},
    {"memfd_create", SYS_memfd_create, {4096, 3, 0, 0, 0, 0}, true},
    {"ftruncate", SYS_ftruncate, {3, 4096, 0, 0, 0, 0}, true},
    {"fchmod", SYS_fchmod, {3, 0600, 0, 0, 0, 0}, false},
    {"fcntl", SYS_fcntl, {3, F_DUPFD_CLOEXEC, 990, 0, 0, 0}, false},
    {"prlimit64", SYS_prlimit64, {0, 7, 0, 4096, 0, 0}, false},
    {"mremap", SYS_mremap, {4096, 4096, 4096, 3, 4096, 0}, true},
    {"mmap", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, 3, 0}, true},
    {"openat",
     SYS_openat,
     {static_cast<uint64_t>(AT_FDCWD), 4096, O_RDWR | O_CLOEXEC, 0, 0, 0},
     false},
    {"socket", SYS_socket, {1, 1 | 02000000, 0, 0, 0, 0}, false},
    {"socketpair", SYS_socketpair, {1, 1 | 02000000, 0, 4096, 0, 0}, false},
    {"connect", SYS_connect, {3, 4096, 110, 0, 0, 0}, false},
    {"setsockopt", SYS_setsockopt, {3, 1, 20, 4096, 16, 0}, false},
    {"recvmsg", SYS_recvmsg, {3, 4096, 0x40000000, 0, 0, 0}, false},
    {"getpid", SYS_getpid, {}, true},
    {"getppid", SYS_getppid, {}, false},
    {"readlinkat",
     SYS_readlinkat,
     {static_cast<uint64_t>(AT_FDCWD), 4096, 4096, 4096, 0, 0},
     false},
    {"getcwd", SYS_getcwd, {4096, 4096, 0, 0, 0, 0}, false},
    {"prctl", SYS_prctl, {16, 4096, 0, 0, 0, 0}, false},
    {"membarrier", SYS_membarrier, {16, 0, 0, 0, 0, 0}, false},
    {"process_vm_readv", SYS_process_vm_readv, {1, 4096, 1, 4096, 1, 0}, false},
    {"sched_yield", SYS_sched_yield, {}, false},
    {"sigaltstack", SYS_sigaltstack, {0, 4096, 0, 0, 0, 0}, false},
};

// As of a chain of filters: the kernel takes the answer of the highest precedence.
int32_t precedence(uint32_t verdict) {
  return static_cast<int32_t>(verdict & SECCOMP_RET_ACTION_FULL);
}

}  // namespace

uint32_t filter_verdict(std::span<const sock_filter> filter, uint32_t architecture, uint64_t number,
                        const std::array<uint64_t, 6>& arguments) {
  seccomp_data data{};
  data.nr = static_cast<int>(number);
  data.arch = architecture;
  std::memcpy(data.args, arguments.data(), sizeof data.args);
  uint32_t a = 0, x = 0, memory[BPF_MEMWORDS] = {};
  for (size_t at = 0; at < filter.size(); ++at) {
    const sock_filter& instruction = filter[at];
    const uint16_t code = instruction.code;
    const uint32_t operand = BPF_SRC(code) == BPF_X ? x : instruction.k;
    switch (BPF_CLASS(code)) {
      case BPF_LD:
        if (!load(instruction, data, memory, a)) return SECCOMP_RET_KILL_PROCESS;
        break;
      case BPF_LDX:
        if (!load(instruction, data, memory, x)) return SECCOMP_RET_KILL_PROCESS;
        break;
      case BPF_ST:
      case BPF_STX:
        if (instruction.k >= BPF_MEMWORDS) return SECCOMP_RET_KILL_PROCESS;
        memory[instruction.k] = BPF_CLASS(code) == BPF_ST ? a : x;
        break;
      case BPF_ALU:
        a = calculate(code, a, operand);
        break;
      case BPF_JMP:
        if (BPF_OP(code) == BPF_JA) {
          at += instruction.k;
        } else {
          at += jumps(code, a, operand) ? instruction.jt : instruction.jf;
        }
        break;
      case BPF_RET:
        return BPF_RVAL(code) == BPF_A ? a : instruction.k;
      default:
        if (BPF_MISCOP(code) == BPF_TAX) {
          x = a;
        } else {
          a = x;
        }
    }
  }
  return SECCOMP_RET_KILL_PROCESS;
}

std::string forbidden_call(const std::vector<SeccompFilter>& filters) {
  for (const NeededCall& call : kNeededCalls) {
    uint32_t verdict = SECCOMP_RET_ALLOW;
    for (const SeccompFilter& filter : filters) {
      const uint32_t one =
          filter_verdict(filter, audit_architecture(), call.number, call.arguments);
      if (precedence(one) < precedence(verdict)) verdict = one;
    }
    const uint32_t action = verdict & SECCOMP_RET_ACTION_FULL;
    if (action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG) continue;
    if (action == SECCOMP_RET_ERRNO && !call.must_succeed) continue;
    return call.name;
  }
  return {};
}

std::optional<std::vector<SeccompFilter>> read_filters(pid_t thread) {
  constexpr auto kGetFilter = static_cast<__ptrace_request>(0x420c);  // PTRACE_SECCOMP_GET_FILTER
  std::vector<SeccompFilter> filters;
  for (uint64_t index = 0;; ++index) {
    const long count = ptrace(kGetFilter, thread, index, nullptr);
    if (count < 0) {
      if (errno == ENOENT) return filters;
      return {};
    }
    SeccompFilter filter(static_cast<size_t>(count));
    if (ptrace(kGetFilter, thread, index, filter.data()) != count) return {};
    filters.push_back(std::move(filter));
  }
}

}  // namespace memlens::attach

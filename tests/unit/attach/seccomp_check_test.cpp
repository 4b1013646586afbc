#include "interposer/attach/seccomp_check.h"

#include <doctest/doctest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <random>

#include "interposer/attach/processor.h"

namespace memlens::attach {
namespace {

constexpr uint32_t kNumber = offsetof(seccomp_data, nr);
constexpr uint32_t argument(unsigned index) {
  return static_cast<uint32_t>(offsetof(seccomp_data, args)) + 8 * index;
}

// `verdict` for one system call, leave for all others.
SeccompFilter for_call(uint32_t number, uint32_t verdict) {
  return {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, verdict),
          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
}

TEST_CASE("without filters nothing is forbidden") { CHECK(forbidden_call({}).empty()); }

TEST_CASE("a filter that forbids something else does not matter") {
  CHECK(forbidden_call({for_call(SYS_chroot, SECCOMP_RET_KILL_PROCESS)}).empty());
}

TEST_CASE("a filter that kills or traps for a call that is needed forbids it") {
  CHECK(forbidden_call({for_call(SYS_clone, SECCOMP_RET_KILL_PROCESS)}) == "clone");
  CHECK(forbidden_call({for_call(SYS_clone3, SECCOMP_RET_KILL_THREAD)}) == "clone3");
  CHECK(forbidden_call({for_call(SYS_mremap, SECCOMP_RET_TRAP)}) == "mremap");
  CHECK(forbidden_call({for_call(SYS_process_vm_readv, SECCOMP_RET_KILL)}) == "process_vm_readv");
}

TEST_CASE("a refusal matters only where nothing goes without the call") {
  CHECK(forbidden_call({for_call(SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS)}).empty());
  CHECK(forbidden_call({for_call(SYS_memfd_create, SECCOMP_RET_ERRNO | EPERM)}) == "memfd_create");
}

TEST_CASE("of several filters the strictest decides, in any order") {
  const SeccompFilter lenient = for_call(SYS_clone, SECCOMP_RET_LOG);
  const SeccompFilter strict = for_call(SYS_clone, SECCOMP_RET_KILL_THREAD);
  CHECK(forbidden_call({lenient}).empty());
  CHECK(forbidden_call({lenient, strict}) == "clone");
  CHECK(forbidden_call({strict, lenient}) == "clone");
}

TEST_CASE("arguments are looked at: code that may be executed can be what is forbidden") {
  const SeccompFilter filter = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
                                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
                                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument(2)),
                                BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
                                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
                                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  CHECK(forbidden_call({filter}) == "mprotect");
}

TEST_CASE("a filter that is none kills") {
  CHECK(filter_verdict({}, audit_architecture(), SYS_getpid, {}) == SECCOMP_RET_KILL_PROCESS);
  const SeccompFilter outside = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof(seccomp_data))};
  CHECK(filter_verdict(outside, audit_architecture(), SYS_getpid, {}) == SECCOMP_RET_KILL_PROCESS);
}

// ---- the kernel as the judge

// A filter that calculates at random and answers getppid() with the result as errno.
SeccompFilter random_filter(std::mt19937& random) {
  const auto number = [&random](uint32_t below) { return static_cast<uint32_t>(random() % below); };
  SeccompFilter filter = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  constexpr uint32_t kInstructions = 20;
  for (uint32_t i = 0; i < BPF_MEMWORDS; ++i) filter.push_back(BPF_STMT(BPF_ST, i));
  for (uint32_t i = 0; i < kInstructions; ++i) {
    static constexpr uint16_t kOperations[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_OR,
                                               BPF_AND, BPF_XOR, BPF_LSH, BPF_RSH};
    static constexpr uint16_t kConditions[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
    const auto left = static_cast<uint8_t>(kInstructions - 1 - i);
    switch (number(8)) {
      case 0:
        // (Not the instruction pointer, which comes before the arguments.)
        filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument(0) + 4 * number(12)));
        break;
      case 1:
        filter.push_back(BPF_STMT(BPF_LDX | BPF_W | BPF_MEM, number(BPF_MEMWORDS)));
        break;
      case 2:
        filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_MEM, number(BPF_MEMWORDS)));
        break;
      case 3:
        filter.push_back(BPF_STMT(number(2) != 0 ? BPF_ST : BPF_STX, number(BPF_MEMWORDS)));
        break;
      case 4:
        filter.push_back(BPF_STMT(BPF_MISC | (number(2) != 0 ? BPF_TAX : BPF_TXA), 0));
        break;
      case 5:
        filter.push_back(BPF_JUMP(static_cast<uint16_t>(BPF_JMP | kConditions[number(4)] |
                                                        (number(2) != 0 ? BPF_X : BPF_K)),
                                  number(64), static_cast<uint8_t>(number(left + 1u)),
                                  static_cast<uint8_t>(number(left + 1u))));
        break;
      case 6:
        filter.push_back(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 1 + number(9)));
        break;
      default:
        // (Shifts by a constant stay below 32, or the kernel does not take the filter.)
        filter.push_back(
            BPF_STMT(static_cast<uint16_t>(BPF_ALU | kOperations[number(8)] | BPF_K), number(32)));
    }
  }
  filter.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x7f));
  filter.push_back(BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO));
  filter.push_back(BPF_STMT(BPF_RET | BPF_A, 0));
  return filter;
}

// -1: the kernel does not take it.
int kernels_answer(SeccompFilter& filter, const std::array<uint64_t, 6>& a) {
  const pid_t child = fork();
  if (child == 0) {
    sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(255);
    const long result = syscall(SYS_getppid, a[0], a[1], a[2], a[3], a[4], a[5]);
    // errno 0 lets the call return 0.
    _exit(result == 0 ? 0 : errno);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
  return code == 255 ? -1 : code;
}

TEST_CASE("random filters answer here what they answer in the kernel") {
  std::mt19937 random(7);
  int compared = 0;
  for (int i = 0; i < 200; ++i) {
    SeccompFilter filter = random_filter(random);
    std::array<uint64_t, 6> arguments{};
    for (uint64_t& one : arguments) one = random() | uint64_t{random()} << 32;
    const int expected = kernels_answer(filter, arguments);
    if (expected < 0) continue;
    ++compared;
    const uint32_t verdict = filter_verdict(filter, audit_architecture(), SYS_getppid, arguments);
    CHECK((verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO);
    CHECK(static_cast<int>(verdict & 0x7f) == expected);
  }
  MESSAGE(compared, " compared");
  CHECK((compared == 0 || compared > 100));  // 0: no seccomp here
}

}  // namespace
}  // namespace memlens::attach

#include <linux/audit.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <cstring>

#include "interposer/attach/processor.h"
#include "interposer/attach/worker.h"

// rbx: the Context. Nothing here is called in this process.
asm(R"(
        .pushsection .rodata.memlens_attach, "a", @progbits
        .balign 16
memlens_attach_code:
        .ascii "memlens attach 2"
memlens_attach_clone:
        syscall
        xorl    %ebp, %ebp
        andq    $-16, %rsp
        movq    5184(%rbx), %rax
        testq   %rax, %rax
        jz      .Ldefault_stack
        leaq    5120(%rbx), %rdi
        call    *%rax
        testl   %eax, %eax
        jnz     .Ldefault_stack
        leaq    5120(%rbx), %rdi
        movq    5200(%rbx), %rsi
        call    *5192(%rbx)
        testl   %eax, %eax
        jnz     .Ldefault_stack
        leaq    5120(%rbx), %rsi
        jmp     .Lcreate
.Ldefault_stack:
        xorl    %esi, %esi
.Lcreate:
        leaq    176(%rbx), %rdi
        leaq    memlens_attach_worker(%rip), %rdx
        movq    %rbx, %rcx
        call    *32(%rbx)
        movl    %eax, 28(%rbx)
        testl   %eax, %eax
        jz      1f
        movl    $3, 0(%rbx)
1:      movl    $60, %eax
        xorl    %edi, %edi
        syscall
        hlt

memlens_attach_worker:
        endbr64
        pushq   %rbx
        movq    %rdi, %rbx
        movl    $186, %eax
        syscall
        movl    %eax, 24(%rbx)
        call    *40(%rbx)
        movq    %rax, %rdi
        call    *48(%rbx)
        movl    $1, 0(%rbx)
.Lwait:
        movl    4(%rbx), %eax
        movl    %eax, 184(%rbx)
        cmpl    $1, %eax
        je      .Lsystem_call
        cmpl    $2, %eax
        je      .Lload
        cmpl    $3, %eax
        je      .Lcall
        cmpl    $4, %eax
        je      .Lend
        leaq    4(%rbx), %rdi
        movl    $128, %esi
        xorl    %edx, %edx
        leaq    160(%rbx), %r10
        movl    $202, %eax
        syscall
        decl    12(%rbx)
        jnz     .Lwait
.Lend:
        movl    $2, 0(%rbx)
        xorl    %eax, %eax
        popq    %rbx
        ret

.Lsystem_call:
        movq    96(%rbx), %rax
        movq    104(%rbx), %rdi
        movq    112(%rbx), %rsi
        movq    120(%rbx), %rdx
        movq    128(%rbx), %r10
        movq    136(%rbx), %r8
        movq    144(%rbx), %r9
        syscall
        jmp     .Ldone
.Lload:
        leaq    1024(%rbx), %rdi
        movl    152(%rbx), %esi
        call    *56(%rbx)
        testq   %rax, %rax
        jz      .Lfailed
        movq    %rax, %rdi
        leaq    192(%rbx), %rsi
        call    *64(%rbx)
        testq   %rax, %rax
        jz      .Lfailed
        movq    %rax, 80(%rbx)
        movl    $1, %eax
        jmp     .Ldone
.Lfailed:
        movq    72(%rbx), %rax
        testq   %rax, %rax
        jz      .Ldone
        call    *%rax
        testq   %rax, %rax
        jz      .Ldone
        leaq    256(%rbx), %rdi
        movl    $767, %ecx
.Lcopy:
        movb    (%rax), %dl
        movb    %dl, (%rdi)
        incq    %rax
        incq    %rdi
        testb   %dl, %dl
        loopne  .Lcopy
        xorl    %eax, %eax
        jmp     .Ldone
.Lcall:
        call    *80(%rbx)
        cltq
.Ldone:
        movq    %rax, 88(%rbx)
        movl    16(%rbx), %eax
        movl    %eax, 12(%rbx)
        movl    184(%rbx), %eax
        xorl    %ecx, %ecx
        lock cmpxchgl %ecx, 4(%rbx)
        lock incl 8(%rbx)
        jmp     .Lwait
memlens_attach_code_end:
        .popsection
)");

extern "C" {
extern const unsigned char memlens_attach_code[], memlens_attach_clone[], memlens_attach_code_end[];
}

namespace memlens::attach {
namespace {

constexpr unsigned char kSystemCallInstruction[] = {0x0f, 0x05};
// In tcbhead_t.
constexpr uint64_t kMultipleThreads = 0x18;
constexpr uint64_t kGuards = 0x28;

}  // namespace

bool get_registers(pid_t thread, Registers& registers) {
  return ptrace(PTRACE_GETREGS, thread, nullptr, &registers) == 0;
}

bool set_registers(pid_t thread, const Registers& registers) {
  return ptrace(PTRACE_SETREGS, thread, nullptr, &registers) == 0;
}

void prepare_system_call(Registers& registers, uint64_t instruction, const SystemCall& call) {
  registers.rip = instruction;
  registers.orig_rax = ~0ull;  // no system call is to be restarted
  registers.rax = call[0];
  registers.rdi = call[1];
  registers.rsi = call[2];
  registers.rdx = call[3];
  registers.r10 = call[4];
  registers.r8 = call[5];
  registers.r9 = call[6];
}

int64_t system_call_result(const Registers& registers) {
  return static_cast<int64_t>(registers.rax);
}

int64_t interrupted_system_call(const Registers& registers) {
  const auto number = static_cast<int64_t>(registers.orig_rax);
  return number < 0 ? -1 : number;
}

void restart_unless_handled(Registers& registers) {
  constexpr int64_t kRestartNoHandler = -514;  // the kernel's ERESTARTNOHAND
  registers.rax = static_cast<uint64_t>(kRestartNoHandler);
}

uint64_t program_counter(const Registers& registers) { return registers.rip; }
uint64_t stack_pointer(const Registers& registers) { return registers.rsp; }
uint64_t thread_pointer(const Registers& registers) { return registers.fs_base; }

std::span<const unsigned char> system_call_instruction() { return kSystemCallInstruction; }
uint32_t audit_architecture() { return AUDIT_ARCH_X86_64; }

std::span<const unsigned char> worker_code() {
  return {memlens_attach_code, memlens_attach_code_end};
}

uint64_t clone_instruction_offset() {
  return static_cast<uint64_t>(memlens_attach_clone - memlens_attach_code);
}

void set_context(Registers& registers, uint64_t context) { registers.rbx = context; }

SystemCall clone_call(uint64_t stack_top, uint64_t thread_pointer, uint64_t tid_address,
                      uint64_t context) {
  constexpr uint64_t kFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                              CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
                              CLONE_CHILD_CLEARTID;
  return {SYS_clone,      kFlags, stack_top, tid_address, context + offsetof(Context, bare_thread),
          thread_pointer, 0};
}

uint64_t guards_address(uint64_t thread_pointer) { return thread_pointer + kGuards; }
uint64_t multiple_threads_address(uint64_t thread_pointer) {
  return thread_pointer + kMultipleThreads;
}

std::vector<unsigned char> bare_thread_memory(uint64_t tls_bytes, uint64_t thread_pointer,
                                              const std::vector<TlsImage>& images,
                                              const std::array<uint64_t, 2>& guards) {
  std::vector<unsigned char> memory(tls_bytes + kThreadBlockBytes + kDtvBytes);
  for (const TlsImage& image : images)
    std::memcpy(&memory[tls_bytes - image.offset], image.bytes.data(), image.bytes.size());
  const uint64_t dtv = thread_pointer + kThreadBlockBytes;
  // tcbhead_t. The dtv's entries are of two words; its pointer is to the second, the generation.
  const uint64_t head[] = {thread_pointer, dtv + 16, thread_pointer, 1 /* multiple_threads */, 0,
                           guards[0],      guards[1]};
  std::memcpy(&memory[tls_bytes], head, sizeof head);
  constexpr size_t kWords = kDtvBytes / sizeof(uint64_t);
  std::array<uint64_t, kWords> words{};
  words[0] = kWords / 2 - 4;  // how many modules it has room for
  for (size_t i = 4; i < kWords; i += 2) words[i] = ~uint64_t{0};  // TLS_DTV_UNALLOCATED
  std::memcpy(&memory[tls_bytes + kThreadBlockBytes], words.data(), kDtvBytes);
  return memory;
}

}  // namespace memlens::attach

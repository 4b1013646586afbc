// All that the injector knows of the processor: one file processor_<name>.cpp each.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace memlens::attach {

using Registers = user_regs_struct;

// Of the stopped thread. False: it has ended.
bool get_registers(pid_t thread, Registers& registers);
bool set_registers(pid_t thread, const Registers& registers);

// Number and arguments. Makes `registers` those of a thread that is about to execute the system
// call instruction at `instruction`.
using SystemCall = std::array<uint64_t, 7>;
void prepare_system_call(Registers& registers, uint64_t instruction, const SystemCall& call);
int64_t system_call_result(const Registers& registers);
// Which one the thread was stopped in; -1: none.
int64_t interrupted_system_call(const Registers& registers);
// As if the kernel had not decided yet: it is made again unless a handler of the program's runs.
void restart_unless_handled(Registers& registers);
uint64_t program_counter(const Registers& registers);
uint64_t stack_pointer(const Registers& registers);
uint64_t thread_pointer(const Registers& registers);

// Bytes of an instruction that makes a system call.
std::span<const unsigned char> system_call_instruction();
// AUDIT_ARCH_...
uint32_t audit_architecture();

// The first page of the area: kAreaMagic, then position-independent code.
std::span<const unsigned char> worker_code();
// The system call instruction in it behind which the bare thread begins. It needs the address of
// the Context in a register, which set_context() fills.
uint64_t clone_instruction_offset();
void set_context(Registers& registers, uint64_t context);
SystemCall clone_call(uint64_t stack_top, uint64_t thread_pointer, uint64_t tid_address,
                      uint64_t context);

// ---- a thread's static TLS, as glibc lays it out
struct TlsImage {
  uint64_t offset;    // l_tls_offset
  std::string bytes;  // of initialized data; zeros follow
};
inline constexpr uint64_t kThreadBlockBytes = 16 << 10;  // struct pthread lies in it
inline constexpr uint64_t kDtvBytes = 16 << 10;
// Memory from `tls_bytes` below the thread pointer to behind the dtv.
std::vector<unsigned char> bare_thread_memory(uint64_t tls_bytes, uint64_t thread_pointer,
                                              const std::vector<TlsImage>& images,
                                              const std::array<uint64_t, 2>& guards);
// Where the stopped thread has the two guards (of stacks, of pointers).
uint64_t guards_address(uint64_t thread_pointer);
// Where it has a word that says that it is not alone.
uint64_t multiple_threads_address(uint64_t thread_pointer);

}  // namespace memlens::attach

// Stepping with all registers, for what an UnwindRule cannot say. Slow (a microsecond a frame).
#pragma once

#include <cstdint>

#include "interposer/guest/stack_memory.h"
#include "interposer/stacks/unwind_cfi.h"

namespace memlens::interposer::unwind {

// DWARF numbering; a register whose value is lost is not in `known`.
struct Registers {
  uint64_t values[kRegisterCount];
  uint32_t known;  // bit n: register n

  static constexpr unsigned kFramePointer = 6, kStackPointer = 7, kProgramCounter = 16;

  bool get(uint64_t number, uint64_t& value) const {
    if (number >= kRegisterCount || (known >> number & 1) == 0) return false;
    value = values[number];
    return true;
  }
  void set(unsigned number, uint64_t value) {
    values[number] = value;
    known |= 1u << number;
  }
};

// The registers at the point of the call, as the caller of this function sees them on return: rip,
// rsp and the callee-saved ones.
extern "C" __attribute__((visibility("hidden"))) void memlens_read_registers(Registers* registers);

// From the registers inside a function to those of its caller, by a row found for the function.
// False when something needed is lost or cannot be read.
bool step_registers(const UnwindRow& row, StackMemory& memory, Registers& registers);

}  // namespace memlens::interposer::unwind

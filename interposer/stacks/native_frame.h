// One frame of a native stack, as the caches of native stacks keep it.
#pragma once

#include <cstdint>

namespace memlens::interposer {

// A word of the stack, and what it has to be.
struct StackCheck {
  uintptr_t address;
  uintptr_t value;
};

struct NativeFrame {
  enum Flag : uint8_t {
    kUsesFrame = 1,       // the step out of it read the frame pointer
    kRestoresFrame = 2,   // and loaded the caller's from frame_slot
    kNeedsFrame = 4,      // this step or one further out depends on the frame pointer here
    kChecksSlot = 8,      // frame_slot has to be compared: the caller's frame pointer matters
    kNotComparable = 16,  // the step read more than is kept: make it again each time
    kExact = 32,          // the address itself is what runs, not a return address
    kOutside = 64,        // code outside all modules
    kCut = 128,           // the stack could not be followed further
  };
  uintptr_t pc;
  uintptr_t stack_pointer;
  uintptr_t frame_pointer;
  uintptr_t frame_slot;
  uint64_t path;  // names the stack up to here (native_nodes.h); 0: not made yet
  uint32_t node;  // of the stack up to here; kRootNode: not made yet
  uint8_t flags;
  uint8_t interpreter;  // 1: a Python evaluation loop
  uint8_t tagged;       // 1: in a library that took another's place
  uint8_t by_rule;      // 1: a rule alone led out of it; of code outside all modules: a trampoline

  bool has(Flag flag) const { return (flags & flag) != 0; }
  // Of those that `python -X perf` runs each function through: nothing to show.
  bool is_trampoline() const { return by_rule != 0 && has(kOutside); }
  uintptr_t code_address() const { return has(kExact) ? pc : pc - 1; }

  // Sets the flags that depend on what is further out, where the frame pointer is needed or not.
  // Returns whether it is needed here.
  bool inherit_need(bool outer_needs) {
    uint8_t result = flags & static_cast<uint8_t>(~(kNeedsFrame | kChecksSlot));
    const bool restores = has(kRestoresFrame);
    if (restores && outer_needs) result |= kChecksSlot;
    const bool needs = has(kUsesFrame) || (!restores && outer_needs);
    if (needs) result |= kNeedsFrame;
    flags = result;
    return needs;
  }
};
static_assert(sizeof(NativeFrame) == 48);

}  // namespace memlens::interposer

// The native stack of the calling thread, as a node of the stack tree.
//
// Frames are stepped by rules compiled once per address from .eh_frame (4.6 ns a frame; libunwind's
// fastest way costs 6-7, the others 80 times that). On top of it the validated cache: consecutive
// events have nearly the same stack, so the last one is kept, each frame with its node. A capture
// climbs until it is at a frame of the kept stack, and then only compares what its steps outward
// had read: return addresses and, where they matter, saved frame pointers. What differs is stepped
// and interned anew.
//
// Every read of the stack is of memory seen to be readable (unwind_memory.h), and every read of
// unwind information within its segment: garbage ends a stack, never the program. An event is
// recorded whatever happens here.
//
// What is shown: the innermost frame is the caller of the hook, outside this library. Addresses are
// of the call, not behind it, except in frames interrupted by a signal. Code outside all modules
// (generated at run time) appears as kCodeWithoutInformationLabel; the stack goes on beyond by
// frame pointers when these lead to a frame that a call could have made, and begins with that label
// otherwise.
#pragma once

#include <cstddef>
#include <cstdint>

#include "interposer/stacks/unwind_cfi.h"
#include "interposer/stacks/unwind_memory.h"
#include "interposer/stacks/unwind_objects.h"

namespace memlens::interposer {

inline constexpr char kCodeWithoutInformationLabel[] = "[code without unwind information]";
inline constexpr char kDeepNativeStackLabel[] = "[... deeper frames not recorded]";

// Of the buffer for one stack: kept frames below, new ones above. Address space, touched when used.
inline constexpr uint32_t kMaxNativeFrames = 8192;
// Of a deeper stack, these are shown, on top of a label.
inline constexpr uint32_t kInnermostFramesOfDeepNativeStack = 128;

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
  uint32_t node;  // of the stack up to here
  uint8_t flags;
  uint8_t interpreter;  // 1: a Python evaluation loop
  uint8_t tagged;       // 1: in a library that took another's place

  bool has(Flag flag) const { return (flags & flag) != 0; }
  uintptr_t code_address() const { return has(kExact) ? pc : pc - 1; }
};

// Caches of one thread. Zeroed memory is a valid initial state.
struct NativeStackState {
  uint32_t depth;             // kept frames, outermost first
  uint32_t rules_generation;  // under which they were made
  uint32_t windows_generation;
  uint32_t padding;
  unwind::StackMemory memory;
  unwind::ObjectCache objects;
  unwind::CfiScratch scratch;
  uint64_t rules_compiled;  // statistics, for tests and measurements
  uint64_t rules_complex;   // of these, beyond what a rule can say
  uint64_t frames_stepped;
  uint64_t frames_compared;
  NativeFrame frames[kMaxNativeFrames];

  // Makes the caches fit for another thread of the same process.
  void reset() {
    depth = 0;
    memory.forget();
  }
};

// Brings `state.frames` up to date with the stack that `frame_address` (__builtin_frame_address(0)
// of a function of this library) belongs to, without making nodes. Returns how many of the
// outermost frames are what they were, nodes included. Sets `too_deep` when frames beyond the
// buffer are missing; nothing is kept then for the next time.
uint32_t update_native_frames(NativeStackState& state, const void* frame_address, bool& too_deep);

// The node of one frame on top of its parent's; `parent_frame` is nullptr for the outermost.
uint32_t intern_native_frame(NativeStackState& state, uint32_t parent, const NativeFrame& frame,
                             const NativeFrame* parent_frame);

// The node of the calling thread's native stack. Inside a HookScope; keeps errno.
uint32_t capture_native_stack(NativeStackState& state);

// In a forked child: nodes are numbered anew.
void forget_native_nodes();

}  // namespace memlens::interposer

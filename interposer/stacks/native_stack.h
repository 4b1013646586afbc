// The native stack of the calling thread, as a node of the stack tree.
//
// Frames are stepped by rules compiled once per address from .eh_frame (4.6 ns a frame; libunwind's
// fastest way costs 6-7, the others 80 times that). On top of it the validated cache: consecutive
// events have nearly the same stack, so the last one is kept, each frame with its node. A capture
// climbs until it is at a frame of the kept stack, and then only compares what its steps outward
// had read: return addresses and, where they matter, saved frame pointers. What differs is stepped
// and interned anew; under Python frames, it is first looked for among runs of frames met before
// (native_runs.h).
//
// Every read of the stack is of memory seen to be readable (guest/stack_memory.h), and every read
// of unwind information within its segment: garbage ends a stack, never the program. An event is
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

#include "interposer/guest/stack_memory.h"
#include "interposer/stacks/native_frame.h"
#include "interposer/stacks/native_runs.h"
#include "interposer/stacks/unwind_cfi.h"
#include "interposer/stacks/unwind_objects.h"

namespace memlens::interposer {

inline constexpr char kCodeWithoutInformationLabel[] = "[code without unwind information]";
inline constexpr char kDeepNativeStackLabel[] = "[... deeper frames not recorded]";

// Of the buffer for one stack: kept frames below, new ones above. Address space, touched when used.
inline constexpr uint32_t kMaxNativeFrames = 8192;
// Of a deeper stack, these are shown, on top of a label.
inline constexpr uint32_t kInnermostFramesOfDeepNativeStack = 128;

// Caches of one thread. Zeroed memory is a valid initial state.
struct NativeStackState {
  uint32_t depth;             // kept frames, outermost first
  uint32_t rules_generation;  // under which they were made
  uint32_t windows_generation;
  uint32_t outer_frames;  // of a stack too deep to keep: so many are further out than those kept
  unwind::StackMemory memory;
  unwind::StackMemory code_memory;  // of code outside all modules, where trampolines are looked for
  uint32_t code_misses;             // addresses that were none of code
  unwind::ObjectCache objects;
  unwind::CfiScratch scratch;
  // Of the climb going on: frames without unwind information, seen to lead to a call by their frame
  // pointers.
  struct {
    uintptr_t next;  // 0: none
    uintptr_t last;
  } believed_frames;
  uint64_t rules_compiled;  // statistics, for tests and measurements
  uint64_t rules_complex;   // of these, beyond what a rule can say
  uint64_t frames_stepped;
  uint64_t frames_compared;
  // Inside of the kept frames, at the top of the stack; nullptr: nothing. Without evaluation loops.
  const FrameRun* top;
  NativeFrame frames[kMaxNativeFrames];
  // Of the kept frames up to each, how many are evaluation loops.
  uint16_t loops_up_to[kMaxNativeFrames];
  // What is compared to know that kept frames are the same, for as many of the outermost as it is
  // listed for: of a frame, where the words for it and all further out end in `checks`. Above that
  // kUnsettled, when words are not enough because one of the frames is kNotComparable.
  static constexpr uint32_t kUnsettled = 1u << 31;
  uint32_t listed;
  uint32_t check_ends[kMaxNativeFrames];
  StackCheck checks[2 * kMaxNativeFrames];
  FrameRuns runs;

  uint32_t count_loops(uint32_t first, uint32_t end) const {
    if (first >= end) return 0;
    return loops_up_to[end - 1] - (first > 0 ? loops_up_to[first - 1] : 0u);
  }

  // Makes the caches fit for another thread of the same process.
  void reset() {
    depth = 0;
    outer_frames = 0;
    top = nullptr;
    memory.forget();
    code_memory = {};
    code_misses = 0;
  }
};

// Brings `state.frames` up to date with the stack that `frame_address` (__builtin_frame_address(0)
// of a function of this library) belongs to, without making nodes. Returns how many of the
// outermost frames are what they were, nodes included. `with_runs`: the innermost frames may be
// left to state.top. Sets `too_deep` when the stack has more than kMaxNativeFrames: then only its
// innermost frames are there, more than are shown, and have no nodes.
uint32_t update_native_frames(NativeStackState& state, const void* frame_address, bool with_runs,
                              bool& too_deep);

// Makes the frames of state.top kept ones, without nodes.
void keep_top_frames(NativeStackState& state);

// The node of the calling thread's native stack. Inside a HookScope; keeps errno.
// Runs do not pay here (native_runs.h); the tests ask for them.
uint32_t capture_native_stack(NativeStackState& state, bool with_runs = false);

}  // namespace memlens::interposer

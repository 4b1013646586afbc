// Runs of frames met before, each followed outward at once.
//
// Allocations of Python code come from one evaluation loop by a few short ways, in turns, so the
// stack of the last event is not that of this one. Stepping is a chain: the rule of an address
// gives where the next is read, 5 ns a frame, and then each new frame is interned. A run is up to
// six such frames, the outermost of them maybe an evaluation loop, found by the address and stack
// pointer of the innermost. All that the steps had read is compared, without waiting for one
// another: return addresses, and saved frame pointers where a step further out within the run
// depended on one. The rules see nothing but address, stack pointer and, where they say so, frame
// pointer; so by induction outward each frame is where it was, which is the argument for the kept
// stack as well. What calls the run is not compared but read, and looked for among the kept frames,
// or another run starts there. Steps that read more (kNotComparable), guesses along frame pointers
// and frames a signal interrupted are in no run; rules compiled anew make all runs unknown. The
// node on top of a run follows from the node below and the number of the run, by one look-up.
//
// What it gives: time added to an allocation and its free with Python's part (CPython 3.11, time of
// the thread, a 2-core machine with other jobs on it), before and after:
//     objects      148 ns   103 ns    all stacks by runs
//     strings      101 ns    69 ns    99.6 %
//     pylint_job   10 % of the added time; real_ast: nothing, see worth_trying()
// bench/workloads/words.cpp, C++ with many stacks of one kind, became 6 % slower, for runs of half
// a kilobyte each displace the rules from the cache; so native stacks alone do without.
//
// That it is right was seen in Python programs by taking every 16th stack a second time from
// nothing, by rules alone: 8,753,748 stacks of 8 programs on 3.8 to 3.13, most of them with a
// run on top, 0 different; and against libunwind (tests/native_stacks).
#pragma once

#include <cstddef>
#include <cstdint>

#include "interposer/guest/stack_memory.h"
#include "interposer/stacks/native_frame.h"
#include "interposer/stacks/processor.h"

namespace memlens::interposer {

struct FrameRun {
  static constexpr uint32_t kMaxFrames = 6;
  static constexpr uint32_t kChecksAtOnce = 4;
  static constexpr uint32_t kMaxChecks = 12;
  static_assert(kMaxChecks % kChecksAtOnce == 0 && kMaxChecks >= 2 * (kMaxFrames - 1));

  uintptr_t pc;  // of the innermost frame; 0: no run
  uintptr_t stack_pointer;
  uintptr_t frame_pointer;  // compared when it matters
  uintptr_t outer_stack_pointer;
  uintptr_t outer_frame_slot;  // what the frame pointer is loaded from; 0: it stays what it is
  uintptr_t lowest;            // of the addresses read
  uintptr_t highest;
  uint32_t rules_generation;
  uint8_t count;
  uint8_t needs_frame;
  uint8_t passing;      // so many of the outermost frames leave the frame pointer alone
  uint8_t loops;        // 1: the outermost frame is an evaluation loop, as no other frame is
  uint8_t check_count;  // repeated up to a multiple of kChecksAtOnce
  uint64_t serial;      // no other run's
  uint32_t base;        // where among the kept frames the caller was last
  StackCheck checks[kMaxChecks];
  NativeFrame frames[kMaxFrames];  // outermost first

  bool starts_at(const unwind::Position& position, uint32_t generation) const {
    return pc == position.pc && stack_pointer == position.stack_pointer &&
           rules_generation == generation &&
           (needs_frame == 0 || frame_pointer == position.frame_pointer);
  }

  // Moves `position`, where the run starts, out of it. False when the stack is another one.
  bool follow(unwind::StackMemory& memory, unwind::Position& position) const {
    if (!memory.readable(lowest) || !memory.readable(highest)) return false;
    uintptr_t difference = 0;
    for (uint32_t i = 0; i < check_count; i += kChecksAtOnce) {
      for (uint32_t j = 0; j < kChecksAtOnce; ++j) {
        difference |= unwind::load_word(checks[i + j].address) ^ checks[i + j].value;
      }
    }
    const uintptr_t outer_pc = unwind::load_word(unwind::return_slot_of(outer_stack_pointer));
    if (difference != 0 || outer_pc == 0) return false;
    position.pc = outer_pc;
    position.stack_pointer = outer_stack_pointer;
    if (outer_frame_slot != 0) position.frame_pointer = unwind::load_word(outer_frame_slot);
    return true;
  }

  // A frame, counted from the outermost; the frame pointer is the one follow() led to.
  NativeFrame frame(uint32_t index, uintptr_t outer_frame_pointer) const {
    NativeFrame frame = frames[index];
    if (index < passing) frame.frame_pointer = outer_frame_pointer;
    return frame;
  }

  // `from` is outermost first.
  void assign(const NativeFrame* from, uint32_t frame_count, uintptr_t outer, uint32_t generation);
};

// Runs of one thread. Zeroed memory is a valid initial state.
class FrameRuns {
 public:
  // The run that starts at `position`, which is moved out of it; nullptr when none is known.
  FrameRun* follow(unwind::StackMemory& memory, unwind::Position& position, uint32_t generation) {
    const uint64_t hash = hash_of(position.pc, position.stack_pointer);
    const size_t index = hash >> (64 - kSetBits);
    Set& set = sets_[index];
    for (uint32_t i = 0; i < kWays; ++i) {
      const uint32_t way = set.recent ^ i;
      if (set.tags[way] != tag_of(hash)) continue;
      FrameRun& run = runs_[index][way];
      if (run.starts_at(position, generation) && run.follow(memory, position)) {
        set.recent = way;
        return &run;
      }
    }
    return nullptr;
  }

  // In a program whose stacks do not come again (a parser's recursion), runs are tried only now and
  // then, to see whether that has changed.
  bool worth_trying() { return failures_ < kManyFailures || ++untried_ % kTryOneOf == 0; }
  void succeeded() { failures_ -= failures_ > 0; }
  void failed() { failures_ += failures_ < kMostFailures ? kFailureWeight : 0; }

  // Offers a run. One of kOffersToKeep offered is kept: what comes often comes to be known soon,
  // and stacks seen only once, as in a parser, neither cost much nor displace the others.
  void remember(const NativeFrame* from, uint32_t count, uintptr_t outer, uint32_t generation);

 private:
  static constexpr unsigned kSetBits = 8;
  static constexpr uint32_t kWays = 2;
  static constexpr uint32_t kOffersToKeep = 8;

  // Apart from the runs, which are not looked at in vain.
  struct Set {
    uint32_t tags[kWays];  // bits of the hash; 0: no run
    uint32_t recent;       // the way used last
    uint32_t offers;       // of runs to keep
  };

  static uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 16) | 1; }
  static uint64_t hash_of(uintptr_t pc, uintptr_t stack_pointer) {
    return (pc ^ stack_pointer << 16) * 0x9E3779B97F4A7C15ull;
  }

  static constexpr uint32_t kManyFailures = 32;
  static constexpr uint32_t kMostFailures = 64;
  static constexpr uint32_t kTryOneOf = 64;
  static constexpr uint32_t kFailureWeight = 4;

  uint32_t failures_;
  uint32_t untried_;
  Set sets_[size_t{1} << kSetBits];
  FrameRun runs_[size_t{1} << kSetBits][kWays];
};

}  // namespace memlens::interposer

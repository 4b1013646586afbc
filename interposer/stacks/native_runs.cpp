#include "interposer/stacks/native_runs.h"

#include <atomic>

namespace memlens::interposer {
namespace {
std::atomic<uint64_t> runs_made{0};
}  // namespace

void FrameRun::assign(const NativeFrame* from, uint32_t frame_count, uintptr_t outer,
                      uint32_t generation) {
  constexpr uintptr_t kWord = sizeof(uintptr_t);
  const NativeFrame& innermost = from[frame_count - 1];
  pc = innermost.pc;
  stack_pointer = innermost.stack_pointer;
  frame_pointer = innermost.frame_pointer;
  outer_stack_pointer = outer;
  outer_frame_slot = 0;
  lowest = highest = outer - kWord;
  rules_generation = generation;
  count = static_cast<uint8_t>(frame_count);
  passing = count;
  loops = from[0].interpreter;
  serial = runs_made.fetch_add(1, std::memory_order_relaxed);
  base = 0;
  check_count = 0;
  const auto reads = [this](uintptr_t address) {
    if (address < lowest) lowest = address;
    if (address > highest) highest = address;
  };
  const auto check = [this, &reads](uintptr_t address, uintptr_t value) {
    checks[check_count++] = {address, value};
    reads(address);
  };
  // What follow() finds at the outer end is read from the stack anew, so nothing further out is
  // needed here; copies inherit what they need where they are put.
  bool needs = false;
  for (uint32_t i = 0; i < frame_count; ++i) {
    NativeFrame& frame = frames[i] = from[i];
    needs = frame.inherit_need(needs);
    if (frame.frame_slot != 0 && outer_frame_slot == 0) {
      outer_frame_slot = frame.frame_slot;
      passing = static_cast<uint8_t>(i);
      reads(frame.frame_slot);
    }
    if (i == 0) continue;
    check(from[i - 1].stack_pointer - kWord, from[i - 1].pc);
    if (frame.has(NativeFrame::kChecksSlot)) check(frame.frame_slot, from[i - 1].frame_pointer);
  }
  needs_frame = needs;
  while (check_count % kChecksAtOnce != 0) {
    checks[check_count] = checks[check_count - 1];
    ++check_count;
  }
}

void FrameRuns::remember(const NativeFrame* from, uint32_t count, uintptr_t outer,
                         uint32_t generation) {
  const NativeFrame& innermost = from[count - 1];
  const uint64_t hash = hash_of(innermost.pc, innermost.stack_pointer);
  const size_t index = hash >> (64 - kSetBits);
  Set& set = sets_[index];
  if (set.offers++ % kOffersToKeep != kOffersToKeep - 1) return;
  set.recent ^= 1;
  set.tags[set.recent] = tag_of(hash);
  runs_[index][set.recent].assign(from, count, outer, generation);
}

}  // namespace memlens::interposer

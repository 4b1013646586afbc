#include "interposer/session/process_end.h"

#include <algorithm>
#include <cstdlib>

#include "interposer/platform/clock.h"
#include "interposer/platform/system_call.h"
#include "interposer/session/process.h"

namespace memlens::interposer {

using segment::ProcessSlot;

void say_last_word(int status) {
  if (process.segment == nullptr) return;
  ProcessSlot& slot = process.segment->processes[process.slot];
  if (slot.process != process.index || slot.pid != system_call::process_id()) return;
  slot.end_status.store(static_cast<uint32_t>(status & 0xff) << 8, std::memory_order_relaxed);
  slot.end_ticks.store(platform::read_ticks(), std::memory_order_release);
}

void say_last_word_at_exit() {
  // Handlers run last in, first out; ours is among the first in, before the program's libraries'.
  on_exit([](int status, void*) { say_last_word(status); }, nullptr);
}

void note_reaped(int32_t pid, int wait_status) {
  segment::SegmentHeader* segment = process.segment;
  if (segment == nullptr || pid <= 0) return;
  const uint64_t own_namespace = segment->processes[process.slot].pid_namespace;
  const uint32_t used =
      std::min(segment->slots_used.load(std::memory_order_relaxed), segment::kMaxProcesses);
  ProcessSlot* reaped = nullptr;
  for (uint32_t i = 0; i < used; ++i) {
    ProcessSlot& slot = segment->processes[i];
    if (slot.pid != pid || slot.pid_namespace != own_namespace) continue;
    if (slot.state.load(std::memory_order_acquire) != segment::kSlotLive) continue;
    // An image that exec replaced may still have its slot: the child is the newest.
    if (reaped == nullptr || slot.process > reaped->process) reaped = &slot;
  }
  if (reaped == nullptr || reaped->reaped_ticks.load(std::memory_order_relaxed) != 0) return;
  reaped->reaped_status.store(static_cast<uint32_t>(wait_status), std::memory_order_relaxed);
  reaped->reaped_ticks.store(platform::read_ticks(), std::memory_order_release);
}

}  // namespace memlens::interposer

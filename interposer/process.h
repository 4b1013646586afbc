// The process's part in a recording session: joining it, being forked out of it, leaving it.
#pragma once

#include <atomic>
#include <cstdint>

#include "interposer/format/metadata_records.h"
#include "interposer/segment/layout.h"

namespace memlens::interposer {

struct Process {
  segment::SegmentHeader* segment = nullptr;  // null: not joined
  uint32_t slot = 0;
  uint32_t index = 0;  // session-wide
  uint32_t parent_index = 0;
  bool over = false;  // recording has ended for good in this process
};
extern Process process;

// Bits that send every event through the recorder's slow path while they are set.
enum Attention : uint32_t {
  kAttentionOver = 1,      // recording has ended; nothing is recorded
  kAttentionPython = 2,    // an interpreter is coming up: look at it at every event
  kAttentionSampling = 4,  // only samples are recorded, and by way of the slow path
};
extern std::atomic<uint32_t> attention;

// This process's slot in the segment. Precondition: joined.
inline segment::ProcessSlot& own_slot() { return process.segment->processes[process.slot]; }

// Whether events are recorded (or may be, at the next slow path).
inline bool recording() { return process.segment != nullptr && !process.over; }

// Joins the session named in the environment, at the first hooked call; later calls do nothing.
// False while there is no session, or not yet an environment to look in.
bool join_session();

// This process has been found to be a forked child (the order word is 0): registers it as a process
// of its own with empty tables. `state` of the calling thread is gone afterwards. False when the
// child is not to be recorded.
bool continue_as_forked_child();

// To be called by the fork hook. Before the fork; in the parent when it failed; in the child.
void announce_birth();
void withdraw_birth();
void forked_child_started(bool announced);

// Recording ends here and now, with one line on stderr: `reason` completes "recording stopped: ".
void stop_recording(const char* reason);
void stop_recording_silently();

// Called in a forked child before anything is recorded there, so that a part can drop what it kept
// in permanent memory. At most 16; register once, at process start.
void at_forked_child(void (*reset)());

}  // namespace memlens::interposer

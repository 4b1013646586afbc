// The process's part in recording sessions, as everybody in the interposer looks at it. What begins
// and ends sessions is in lifecycle.cpp; SESSIONS.md has the states and why the orders hold.
#pragma once

#include <atomic>
#include <cstdint>

#include "interposer/guest/scope_count.h"
#include "interposer/segment/layout.h"

namespace memlens::interposer {

struct Process {
  // Null: never joined. Once mapped it is never unmapped, only replaced in its place: whoever reads
  // it late reads an old session's or the next one's memory, and never none.
  segment::SegmentHeader* segment = nullptr;
  uint32_t slot = 0;
  uint32_t index = 0;  // session-wide
  uint32_t parent_index = 0;
  uint32_t session = 0;  // sessions begun here, forked children's included; names the present one
  uint32_t inherited_session = 0;  // the last that was a parent's
};
extern Process process;

enum class SessionState : uint32_t {
  kLoaded,     // nothing is recorded, every hook forwards
  kJoining,    // one thread begins a session; the others' hooks forward
  kRecording,  // ...
  kLeaving,    // nothing is recorded; threads may still be where they began to record
};
extern std::atomic<SessionState> session_state;

// Whether events are recorded.
inline bool recording() {
  return session_state.load(std::memory_order_acquire) == SessionState::kRecording;
}

// Whether records may be written: by whoever holds a SessionStay, or joins.
inline bool session_is_open() {
  const SessionState state = session_state.load(std::memory_order_acquire);
  return state == SessionState::kRecording || state == SessionState::kJoining;
}

// While one lives that holds, the next session does not begin: what belongs to the present one may
// be used, also by a thread that has no state yet. Not for the hot path, which is seen by its guard
// word (SESSIONS.md).
extern std::atomic<uint32_t> session_stays;
class SessionStay {
 public:
  SessionStay() {
    session_stays.fetch_add(1);  // before the state is read: who leaves does it the other way round
    held_ = session_state.load() == SessionState::kRecording;
    if (!held_) count_one_less(session_stays);
  }
  ~SessionStay() {
    if (held_) count_one_less(session_stays);
  }
  SessionStay(const SessionStay&) = delete;
  SessionStay& operator=(const SessionStay&) = delete;
  explicit operator bool() const { return held_; }

 private:
  bool held_;
};

// Bits that send every event through the recorder's slow path while they are set.
enum Attention : uint32_t {
  kAttentionOver = 1,      // nothing is recorded: no session, or its end
  kAttentionPython = 2,    // an interpreter is coming up: look at it at every event
  kAttentionSampling = 4,  // only samples are recorded, and by way of the slow path
  kAttentionHooks = 8,     // beside kAttentionOver: hooks are still to be taken out of the program
};
// (Hidden: without a look into the global offset table.)
extern __attribute__((visibility("hidden"))) std::atomic<uint32_t> attention;

// This process's slot in the segment. Precondition: joined.
inline segment::ProcessSlot& own_slot() { return process.segment->processes[process.slot]; }

// ---- who wants to know. Registered once, before there are threads; at most 16 each.

// Called before anything is recorded in a session that is not the process image's first, and in a
// forked child, so that a part can drop what it kept of the session before.
void at_new_session(void (*reset)());
void call_at_new_session();

// Called when a session has ended, by the thread that ended it, inside its hook.
void at_session_end(void (*leave)());
void call_at_session_end();

// Called when `attention` or the state has changed.
void at_attention_change(void (*look)());
void attention_has_changed();

}  // namespace memlens::interposer

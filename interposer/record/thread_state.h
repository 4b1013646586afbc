// What one thread needs to record: its chunk, its encoder, its stack caches.
//
// States are pooled: a thread that ends gives its state to the next one, pages touched and all, so
// that a program of many short-lived threads does not page-fault its way through fresh memory.
#pragma once

#include <atomic>
#include <cstdint>

#include "interposer/guest/reentrancy.h"
#include "interposer/record/event_encoder.h"
#include "interposer/record/order.h"
#include "interposer/segment/layout.h"
#include "interposer/stacks/stack_capture.h"

namespace memlens::interposer {

// A record is being written: left so by whoever was killed doing so. Beyond every limit.
inline uint8_t* const kBusyCursor = reinterpret_cast<uint8_t*>(UINTPTR_MAX);

enum class StateUse : uint32_t {
  kFree = 0,
  kRunning,
  kEnded,  // its thread's last destructor has run; what the thread still does is recorded in it
};

// Lives in zeroed pages, which are a valid initial state.
struct ThreadState {
  // ---- what every event touches
  uint8_t* cursor;              // next record goes here; null without a chunk; see kBusyCursor
  uint8_t* soft_limit;          // the next time record is due, or the chunk is full
  segment::ChunkHeader* chunk;  // null: none
  uint64_t order_word;          // under which events are recorded
  const std::atomic<uint64_t>* present_order_word;
  const std::atomic<uint32_t>* present_tick;  // the segment's
  ShardCounter* shards;                       // of the shared epoch; null in an owner epoch
  uint32_t tick;                              // the segment's at the last time record
  // Aligned, since where it happens to lie is worth a fifth of a malloc-bound program's time.
  alignas(64) EventEncoder encoder;

  // ---- what chunks and epochs touch
  uint8_t* hard_limit;
  uint64_t last_ticks;  // of the last time record
  uint32_t chunk_index;
  uint32_t sequence;        // of the next chunk
  uint32_t lost_events;     // since the last chunk
  uint32_t thread_index;    // within the process, from 1
  uint32_t session;         // Process::session: what all of this belongs to
  uint32_t left_session;    // the last session that the thread was seen outside of
  const uintptr_t* guard;   // the thread's hook_frame; may be gone with the thread
  uint32_t owner;           // this state's number, from 1: names it in the order word
  int32_t thread_id;        // the kernel's
  uint32_t names_seen;      // hooks/thread_hooks.cpp
  uint32_t exit_rounds;     // how often the thread's exit has been put off
  uint64_t undoable;        // sampling: what record_undo() is about (recorder.cpp); 0: nothing
  uint64_t undoable_place;  // sampling: of the block that is undoable
  uint64_t chunk_interval;  // sampling: the last the chunk was told of; 0: none
  ThreadState* next;        // list of all states
  StateUse use;             // under the lock of the states

  StackState stacks;
};

// A state for the calling thread, registered for release at its end; nullptr when there is none to
// be had (the event is then counted, see below).
ThreadState* acquire_thread_state();

// Precondition: it has a chunk. A signal handler may jump out between any two steps of this, and of
// beginning a chunk: so the next number is made of the chunk's own, and a chunk is handed over at
// most once (at the latest when the process ends). One that nothing was committed to is no part of
// the stream.
void hand_over_chunk_of(ThreadState& state);

// Makes the calling thread's state, which is a former session's, one of the present. False when it
// cannot be had: the event is then counted as lost.
bool renew_thread_state(ThreadState* state);

// Events of threads that found no state since the last call. They are counted as lost by whichever
// thread begins a chunk next.
uint32_t take_events_without_state();

// Hands over the chunk; the state goes to another thread once this one is gone. For the calling
// thread's end.
void end_thread_state(ThreadState* state);

// In a forked child: forget the parent's states. Another thread than the one that forked may do so,
// whose thread_state stays what it was; so they stay mapped, and belong to no session of this
// process.
void drop_thread_states();

// Whether every thread that has a state but the calling one has been seen outside all hooks since
// the session ended, or is gone. Ask again later otherwise.
bool threads_have_left_session();

// Before another session, when all have left: the states belong to none.
void retire_thread_states();

// Sets up the destructor that notices a thread's end. Once per process image.
void start_thread_states();

}  // namespace memlens::interposer

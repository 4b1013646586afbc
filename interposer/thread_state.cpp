#include "interposer/thread_state.h"

#include <pthread.h>

#include <cerrno>

#include "interposer/chunk_producer.h"
#include "interposer/definitions.h"
#include "interposer/diagnostics.h"
#include "interposer/private_lock.h"
#include "interposer/private_memory.h"
#include "interposer/process.h"
#include "interposer/system_call.h"

namespace memlens::interposer {

constinit thread_local ThreadState* thread_state = nullptr;
constinit thread_local uintptr_t hook_frame = 0;
constinit thread_local uint64_t sample_countdown = 0;
constinit thread_local uint64_t sample_interval = 0;

namespace {

PrivateLock states_lock;
ThreadState* all_states = nullptr;
uint32_t state_count = 0;
bool memory_lack_reported = false;
std::atomic<uint32_t> threads_seen{0};
std::atomic<uint32_t> events_without_state{0};
pthread_key_t exit_key;
bool exit_key_made = false;

// Destructors of other keys may still allocate after ours; asking to be called again lets them.
constexpr uint32_t kExitRounds = 3;  // of PTHREAD_DESTRUCTOR_ITERATIONS (4)

void on_thread_exit(void* value) {
  auto* state = static_cast<ThreadState*>(value);
  HookScope scope;
  if (state != thread_state) return;  // a forked child's leftover
  if (++state->exit_rounds <= kExitRounds && pthread_setspecific(exit_key, state) == 0) return;
  end_thread_state(state);
}

bool thread_is_gone(int32_t thread_id) {
  return syscall(SYS_tgkill, system_call::process_id(), thread_id, 0) != 0 && errno == ESRCH;
}

void give_up_chunk(ThreadState& state) {
  order::release(state.owner);
  if (state.chunk != nullptr) hand_over_chunk(process.segment, state.chunk_index, process.slot);
  state.chunk = nullptr;
  state.cursor = state.soft_limit = state.hard_limit = nullptr;
}

// Threads that end without destructors (a raw exit system call) must not keep their chunk for
// long. Looked for now and then, when states run short. Their indexes are the caller's to define as
// ended once it has let go of the lock.
constexpr unsigned kMaxReclaimed = 64;
struct Reclaimed {
  uint32_t indexes[kMaxReclaimed];
  unsigned count = 0;
};

void reclaim_states_of_dead_threads(Reclaimed& reclaimed) {
  for (ThreadState* state = all_states; state != nullptr && reclaimed.count < kMaxReclaimed;
       state = state->next) {
    if (state->use == StateUse::kRunning && thread_is_gone(state->thread_id)) {
      reclaimed.indexes[reclaimed.count++] = state->thread_index;
      give_up_chunk(*state);
      state->use = StateUse::kFree;
    }
  }
}

// A thread that has ended goes on for a moment: libc frees what it kept for it after the last
// destructor. Its state is another's only when the kernel has no such thread any more.
ThreadState* reuse_state() {
  for (ThreadState* state = all_states; state != nullptr; state = state->next) {
    if (state->use == StateUse::kEnded && thread_is_gone(state->thread_id)) {
      give_up_chunk(*state);
      state->use = StateUse::kFree;
    }
    if (state->use == StateUse::kFree) return state;
  }
  return nullptr;
}

void report_memory_lack() {
  if (!memory_lack_reported) {
    report_line(
        Line().text("no address space to record another thread (a limit on it: ulimit -v, "
                    "RLIMIT_AS); its events are counted as lost"));
  }
  memory_lack_reported = true;
}

ThreadState* add_state() {
  if (state_count + 1 >= order::kMaxOwner) return nullptr;
  auto* state = static_cast<ThreadState*>(map_pages(sizeof(ThreadState)));
  if (state == nullptr) {
    report_memory_lack();
    return nullptr;
  }
  state->owner = ++state_count;
  state->next = all_states;
  all_states = state;
  return state;
}

ThreadState* find_or_add_state() {
  Reclaimed reclaimed;
  if (!states_lock.lock(&thread_state)) return nullptr;
  ThreadState* state = reuse_state();
  if (state == nullptr) {
    if (state_count >= 64 && state_count % 64 == 0) {
      reclaim_states_of_dead_threads(reclaimed);
      state = reuse_state();
    }
    if (state == nullptr) state = add_state();
  }
  if (state != nullptr && !reset_stack_state(state->stacks)) {
    report_memory_lack();
    state = nullptr;  // stays free
  }
  if (state != nullptr) {
    // Under the lock, as whoever looks for dead threads' states reads both.
    // Negative where a filter refuses the call: then the thread has no number.
    const int32_t thread_id = system_call::thread_id();
    state->thread_id = thread_id < 0 ? 0 : thread_id;
    state->use = StateUse::kRunning;
  }
  states_lock.unlock();
  for (unsigned i = 0; i < reclaimed.count; ++i) define_thread_end(reclaimed.indexes[i]);
  return state;
}

}  // namespace

void start_thread_states() {
  if (!exit_key_made) exit_key_made = pthread_key_create(&exit_key, on_thread_exit) == 0;
}

ThreadState* acquire_thread_state() {
  const int saved_errno = errno;
  ThreadState* state = find_or_add_state();
  if (state != nullptr) {
    state->cursor = nullptr;
    state->soft_limit = nullptr;
    state->hard_limit = nullptr;
    state->chunk = nullptr;
    state->order_word = 0;
    state->shards = nullptr;
    state->tick = 0;
    state->present_order_word = order::word;
    state->present_tick = &process.segment->tick;
    state->sequence = 0;
    state->lost_events = 0;
    state->exit_rounds = 0;
    state->undoable = 0;
    state->thread_index = threads_seen.fetch_add(1) + 1;
    thread_state = state;
    if (exit_key_made) pthread_setspecific(exit_key, state);
    define_thread(state->thread_index, state->thread_id);
  } else {
    events_without_state.fetch_add(1, std::memory_order_relaxed);
  }
  errno = saved_errno;
  return state;
}

uint32_t take_events_without_state() {
  return events_without_state.load(std::memory_order_relaxed) == 0
             ? 0
             : events_without_state.exchange(0, std::memory_order_relaxed);
}

void end_thread_state(ThreadState* state) {
  const int saved_errno = errno;
  if (recording()) {
    give_up_chunk(*state);
    define_thread_end(state->thread_index);
  }
  if (states_lock.lock(&thread_state)) {
    state->use = StateUse::kEnded;
    states_lock.unlock();
  }
  errno = saved_errno;
}

void drop_thread_states() {
  states_lock.reset();
  thread_state = nullptr;
  while (all_states != nullptr) {
    ThreadState* state = all_states;
    all_states = state->next;
    drop_stack_state(state->stacks);
    unmap_pages(state, sizeof(ThreadState));
  }
  state_count = 0;
  memory_lack_reported = false;
  threads_seen.store(0);
  events_without_state.store(0);
}

}  // namespace memlens::interposer

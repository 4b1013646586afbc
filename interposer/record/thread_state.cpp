#include "interposer/record/thread_state.h"

#include <pthread.h>

#include <cerrno>
#include <cstring>

#include "interposer/definitions/definitions.h"
#include "interposer/guest/diagnostics.h"
#include "interposer/guest/private_lock.h"
#include "interposer/guest/private_memory.h"
#include "interposer/platform/memory_probe.h"
#include "interposer/platform/system_call.h"
#include "interposer/platform/thread_calls.h"
#include "interposer/session/chunk_producer.h"
#include "interposer/session/process.h"

namespace memlens::interposer {

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

void give_up_chunk(ThreadState& state) {
  order::release(state.owner);
  if (state.chunk != nullptr) hand_over_chunk_of(state);
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
    if (state->use == StateUse::kRunning && system_call::thread_is_gone(state->thread_id)) {
      if (state->session == process.session) {
        reclaimed.indexes[reclaimed.count++] = state->thread_index;
      }
      give_up_chunk(*state);
      state->use = StateUse::kFree;
    }
  }
}

// A thread that has ended goes on for a moment: libc frees what it kept for it after the last
// destructor. Its state is another's only when the kernel has no such thread any more.
ThreadState* reuse_state() {
  for (ThreadState* state = all_states; state != nullptr; state = state->next) {
    if (state->use == StateUse::kEnded && system_call::thread_is_gone(state->thread_id)) {
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

// Where the thread's guard word says so. The thread, and the word with it, may be gone at any time,
// so the kernel reads it for us; where it does not, nobody counts as outside.
bool is_outside(const ThreadState& state) {
  uintptr_t guard = 0;
  if (system_call::copy_if_there(&guard, state.guard, sizeof guard)) return guard == 0;
  if (errno == EFAULT) return true;
  const int fd = system_call::open_file("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return system_call::thread_is_gone(state.thread_id);
  const long length =
      system_call::read_file_at(fd, &guard, sizeof guard, reinterpret_cast<uintptr_t>(state.guard));
  const bool unreadable = length < 0 && errno == EIO;
  system_call::close_file(fd);
  return unreadable || (length == static_cast<long>(sizeof guard) && guard == 0);
}

// Caches full of numbers of another session are emptied. False without memory for them.
bool make_stacks_fresh(ThreadState& state) {
  if (state.session != process.session && state.session != 0) {
    NativeState* const native = state.stacks.native;
    if (native != nullptr) clear_pages(native, sizeof *native);
    std::memset(static_cast<void*>(&state.stacks), 0, sizeof state.stacks);
    state.stacks.native = native;
  }
  return reset_stack_state(state.stacks);
}

// For the calling thread, in the present session. Under the lock of the states, or before anybody
// else uses the state.
void make_fresh(ThreadState& state) {
  // A new one is zero as it is.
  if (state.session != process.session && state.session != 0) state.encoder = {};
  state.session = process.session;
  state.guard = &hook_frame;
  state.left_session = 0;
  state.cursor = nullptr;
  state.soft_limit = nullptr;
  state.hard_limit = nullptr;
  state.chunk = nullptr;
  state.order_word = 0;
  state.shards = nullptr;
  state.tick = 0;
  state.present_order_word = order::word;
  state.present_tick = &process.segment->tick;
  state.sequence = 0;
  state.lost_events = 0;
  state.exit_rounds = 0;
  state.undoable = 0;
  state.chunk_interval = 0;
  state.thread_index = threads_seen.fetch_add(1) + 1;
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
  if (state != nullptr && !make_stacks_fresh(*state)) {
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

void hand_over_chunk_of(ThreadState& state) {
  const segment::ChunkHeader& chunk = *state.chunk;
  if (chunk.committed.load(std::memory_order_relaxed) != 0) state.sequence = chunk.sequence + 1;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  state.chunk = nullptr;
  state.cursor = state.soft_limit = state.hard_limit = nullptr;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  hand_over_chunk(process.segment, state.chunk_index, process.slot);
}

ThreadState* acquire_thread_state() {
  const int saved_errno = errno;
  ThreadState* state = find_or_add_state();
  if (state != nullptr) {
    make_fresh(*state);
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

bool renew_thread_state(ThreadState* state) {
  const int saved_errno = errno;
  bool renewed = false;
  if (states_lock.lock(&thread_state)) {  // who walks the list reads the state
    renewed = make_stacks_fresh(*state);
    if (renewed) {
      make_fresh(*state);
    } else {
      report_memory_lack();
    }
    states_lock.unlock();
  }
  if (renewed) {
    define_thread(state->thread_index, state->thread_id);
  } else {
    events_without_state.fetch_add(1, std::memory_order_relaxed);
  }
  errno = saved_errno;
  return renewed;
}

bool threads_have_left_session() {
  if (!states_lock.lock(&thread_state)) return false;
  bool all = true;
  for (ThreadState* state = all_states; state != nullptr; state = state->next) {
    if (state == thread_state || state->use == StateUse::kFree ||
        state->left_session == process.session) {
      continue;
    }
    if (is_outside(*state)) {
      state->left_session = process.session;
    } else {
      all = false;
    }
  }
  states_lock.unlock();
  return all;
}

namespace {

void forget_session(ThreadState& state) {
  // No process's word: whoever has the state goes the slow way.
  state.order_word = UINT64_MAX;
  state.chunk = nullptr;
  state.cursor = state.soft_limit = state.hard_limit = nullptr;
}

}  // namespace

void retire_thread_states() {
  states_lock.reset();
  for (ThreadState* state = all_states; state != nullptr; state = state->next) {
    forget_session(*state);
  }
  threads_seen.store(0);
  events_without_state.store(0);
}

void end_thread_state(ThreadState* state) {
  const int saved_errno = errno;
  const SessionStay stay;
  if (stay && state->session == process.session) {
    give_up_chunk(*state);
    define_thread_end(state->thread_index);
  }
  if (states_lock.lock(&thread_state)) {
    state->use = StateUse::kEnded;
    states_lock.unlock();
  }
  errno = saved_errno;
}

namespace {

void drop_native(ThreadState& state) {
  if (state.stacks.native != nullptr) unmap_pages(state.stacks.native, sizeof(NativeState));
  state.stacks.native = nullptr;
}

// What a new state is, but for its memory, which a forked child would only map again.
void make_unused(ThreadState* state) {
  NativeState* const native = state->stacks.native;
  clear_pages(state, sizeof(ThreadState));
  if (native != nullptr) clear_pages(native, sizeof(NativeState));
  state->stacks.native = native;
}

}  // namespace

void drop_thread_states() {
  states_lock.reset();
  ThreadState* const kept = thread_state;
  thread_state = nullptr;
  while (all_states != nullptr) {
    ThreadState* state = all_states;
    all_states = state->next;
    if (state == kept) continue;
    drop_native(*state);
    forget_session(*state);
  }
  state_count = 0;
  if (kept != nullptr) {
    make_unused(kept);
    kept->owner = ++state_count;
    all_states = kept;
  }
  memory_lack_reported = false;
  threads_seen.store(0);
  events_without_state.store(0);
}

}  // namespace memlens::interposer

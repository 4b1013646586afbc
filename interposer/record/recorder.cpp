#include "interposer/record/recorder.h"

#include <cerrno>

#include "interposer/allocator_statistics/statistics.h"
#include "interposer/format/file_layout.h"
#include "interposer/guest/stack_memory.h"
#include "interposer/platform/clock.h"
#include "interposer/python/shutdown_watch.h"
#include "interposer/record/pools.h"
#include "interposer/record/sampling/sampled_blocks.h"
#include "interposer/record/sampling/sampler.h"
#include "interposer/record/thread_state.h"
#include "interposer/segment/collector_life.h"
#include "interposer/session/chunk_producer.h"
#include "interposer/session/ending.h"
#include "interposer/session/gate.h"
#include "interposer/session/process.h"
#include "interposer/session/upcalls.h"

namespace memlens::interposer {
namespace {

// A time record comes at least this often in a thread's payload: at about three bytes an event,
// peaks of threads that interleave are then within a quarter of a percent (measured).
constexpr uint32_t kTimeEveryBytes = 1024;

// The compiler must not move the writes of a record across these: a signal, or SIGKILL, may come
// between any two instructions, and the collector reads what is committed.
inline void compiler_barrier() { asm volatile("" ::: "memory"); }

inline uint8_t* payload_of(segment::ChunkHeader* chunk) {
  return reinterpret_cast<uint8_t*>(chunk + 1);
}

inline void commit(ThreadState& state, uint8_t* end) {
  compiler_barrier();
  state.chunk->committed.store(static_cast<uint32_t>(end - payload_of(state.chunk)),
                               std::memory_order_release);
  compiler_barrier();
  state.cursor = end;
}

// Where the record goes.
inline uint8_t* start_record(ThreadState& state) {
  uint8_t* const out = state.cursor;
  state.cursor = kBusyCursor;
  compiler_barrier();
  return out;
}

void enter_epoch(ThreadState& state, uint64_t word) {
  state.order_word = word;
  state.shards = order::is_shared(word) ? order::counters(word) : nullptr;
}

void close_chunk(ThreadState& state) {
  if (state.chunk != nullptr) hand_over_chunk_of(state);
}

void set_soft_limit(ThreadState& state) {
  state.soft_limit = state.cursor + kTimeEveryBytes;
  if (state.soft_limit > state.hard_limit) state.soft_limit = state.hard_limit;
}

bool open_chunk(ThreadState& state) {
  const ClaimedChunk claimed = claim_chunk(process.segment, process.slot);
  if (claimed.header == nullptr) {
    const bool asked_to = process.segment->stop.load(std::memory_order_relaxed) != 0;
    if (!asked_to && segment::collector_is_dead(process.segment)) {
      stop_recording("the memlens process that wrote the capture is gone");
    } else if (!asked_to && claimed.no_address_space) {
      stop_recording(
          "no address space left for its shared memory (a limit on it: ulimit -v, RLIMIT_AS)");
    } else {
      stop_recording_silently();  // the collector asked for it, and says why itself
    }
    return false;
  }
  segment::ChunkHeader& header = *claimed.header;
  state.chunk = claimed.header;
  state.chunk_index = claimed.index;
  state.last_ticks = platform::read_ticks();
  state.tick = process.segment->tick.load(std::memory_order_relaxed);
  header.kind = static_cast<uint16_t>(format::FrameKind::kEvents);
  header.shared_order = state.shards != nullptr;
  header.process = process.index;
  header.thread = state.thread_index;
  header.sequence = state.sequence;
  header.lost_events = state.lost_events + take_events_without_state();
  header.ticks = state.last_ticks;
  header.order_epoch = order::epoch_of(state.order_word);
  state.lost_events = 0;
  state.encoder.start_chunk();
  state.chunk_interval = 0;
  compiler_barrier();
  state.cursor = payload_of(state.chunk);
  state.hard_limit = reinterpret_cast<uint8_t*>(state.chunk) + segment::kChunkBytes -
                     3 * format::kMaxEventBytes;  // an epoch, a time and an event always fit
  set_soft_limit(state);
  return true;
}

void write_time(ThreadState& state) {
  const uint64_t now = platform::read_ticks();
  state.tick = process.segment->tick.load(std::memory_order_relaxed);
  uint8_t* end = EventEncoder::encode_time(start_record(state), now - state.last_ticks);
  state.last_ticks = now;
  commit(state, end);
  set_soft_limit(state);
}

// Everything rare: the first event, forks, order, chunks, time. Returns the state to record with,
// or nullptr when nothing is to be recorded.
__attribute__((noinline, cold)) ThreadState* get_ready(ThreadState* state) {
  if (gate.mode.load(std::memory_order_relaxed) == segment::HookMode::kLook)
    upcalls.answer_at_gate();
  if (session_state.load(std::memory_order_relaxed) != SessionState::kRecording &&
      ((attention.load(std::memory_order_relaxed) & kAttentionOver) != 0 ||
       !upcalls.join_session())) {
    return nullptr;
  }
  const bool forked = order::load() == 0;
  if (forked && !order::claim_forked_child()) return nullptr;
  const SessionStay stay;
  if (!stay) {
    if (forked) order::give_claim_back();
    return nullptr;
  }
  if (forked && !upcalls.continue_as_forked_child()) return nullptr;
  if (forked || state == nullptr) state = thread_state;
  if (state == nullptr || state->session <= process.inherited_session) {
    state = acquire_thread_state();
    if (state == nullptr) return nullptr;
  } else if (state->session != process.session && !renew_thread_state(state)) {
    return nullptr;
  }
  // Before the collector's life: a collector that has ended its recording may go.
  if (process.segment->stop.load(std::memory_order_relaxed) != 0) {
    stop_recording_silently();
    return nullptr;
  }
  if (segment::collector_is_dead(process.segment)) {
    stop_recording("the memlens process that wrote the capture is gone");
    return nullptr;
  }

  bool epoch_changed = false;
  const uint64_t word = order::load();
  if (word != state->order_word) {
    enter_epoch(*state, order::take(state->owner));
    epoch_changed = true;
  }
  // Full, or (kBusyCursor) a record was begun and never ended: its writer was killed (vfork child)
  // or jumped away. What is committed stays; the rest of the chunk is given up.
  if (state->chunk != nullptr && state->cursor >= state->hard_limit) {
    close_chunk(*state);
    if (state->shards != nullptr) {
      order::chunk_ended_in_shared_epoch(state->owner);
      if (order::load() != state->order_word) {
        enter_epoch(*state, order::take(state->owner));
      }
    }
  }
  if (state->chunk == nullptr) {
    if (!open_chunk(*state)) return nullptr;
    epoch_changed = false;  // the header says it
  }
  if (epoch_changed) {
    uint8_t* end = EventEncoder::encode_epoch(
        start_record(*state), order::epoch_of(state->order_word), state->shards != nullptr);
    state->encoder.start_epoch();
    commit(*state, end);
  }
  if (state->cursor >= state->soft_limit ||
      state->tick != process.segment->tick.load(std::memory_order_relaxed)) {
    write_time(*state);
    upcalls.poll_environment();
  } else if ((attention.load(std::memory_order_relaxed) & ~kAttentionSampling) != 0) {
    upcalls.poll_environment();
  }
  return state;
}

// nullptr also in a process that samples, whose events are not for whoever asks here.
__attribute__((noinline, cold)) ThreadState* prepare_slowly(ThreadState* state) {
  if (attention.load(std::memory_order_relaxed) == kAttentionSampling) return nullptr;
  state = get_ready(state);
  if (state != nullptr) look_whether_statistics_are_wanted();
  return sampler::active() ? nullptr : state;
}

// The one check of the hot path: a state, in its epoch (which is also the check for a fork), in the
// current tick, nobody who wants to be asked, idle, and with room before the next time record.
// Recording that has ended asks for attention, so it needs no check of its own, and so does
// sampling.
inline ThreadState* prepare() {
  ThreadState* state = thread_state;
  if (__builtin_expect(state != nullptr, 1)) {
    const uint64_t differs =
        (state->present_order_word->load(std::memory_order_acquire) ^ state->order_word) |
        (state->present_tick->load(std::memory_order_relaxed) ^ state->tick) |
        attention.load(std::memory_order_relaxed);
    if (__builtin_expect(differs == 0 && state->cursor < state->soft_limit, 1)) return state;
  }
  return prepare_slowly(state);
}

// The stamp of an allocation is the counter, that of a free the counter before its increment.
inline uint32_t read_shard(const ThreadState& state, unsigned shard) {
  return state.shards == nullptr ? 0 : state.shards[shard].value.load(std::memory_order_acquire);
}
inline uint32_t bump_shard(ThreadState& state, unsigned shard) {
  return state.shards == nullptr ? 0 : state.shards[shard].value.fetch_add(1);
}

// ---- sampling

// ThreadState::undoable: the address of the block whose free was recorded last, or this.
constexpr uint64_t kUndoableUnmap = 1;

uint64_t draw(size_t bytes) {
  if (!sampler::active()) return 0;
  const uint64_t interval = sampler::count(bytes);
  // Somebody else wants to see every event.
  if (attention.load(std::memory_order_relaxed) != kAttentionSampling) sampler::draw_anew();
  return interval;
}

// What record_allocation() comes to when not everything is recorded.
__attribute__((noinline)) void sample_allocation(AllocationKind kind, const void* block,
                                                 size_t bytes) {
  const uint64_t interval = draw(bytes);
  if (interval != 0) record_sample(kind, block, bytes, interval);
}

__attribute__((noinline)) void sample_free(const void* block) {
  if (thread_state != nullptr) thread_state->undoable = 0;
  const auto address = reinterpret_cast<uint64_t>(block);
  if (!sampler::active() || !sampled_blocks::may_hold(block)) return;
  if (!sampled_blocks::holds(address)) return;
  ThreadState* state = get_ready(thread_state);
  uint64_t place = 0;
  // After get_ready(), which empties the table in a forked child.
  if (state == nullptr || !sampled_blocks::remove(address, place)) return;
  state->undoable = address;
  state->undoable_place = place;
  uint8_t* out = start_record(*state);
  if (place != sampler::place(state)) out = EventEncoder::encode_outlived(out);
  const uint32_t stamp = bump_shard(*state, format::shard_of(address));
  commit(*state, state->encoder.encode_free(out, address, state->shards != nullptr, stamp));
}

// Of a free that was not recorded there is nothing to undo.
__attribute__((noinline)) void sample_undo() {
  ThreadState* state = thread_state;
  if (state->undoable == 0 || (state = get_ready(state)) == nullptr) return;
  if (state->undoable == 0) return;  // a forked child's new state
  if (state->undoable != kUndoableUnmap) {
    sampled_blocks::insert(state->undoable, state->undoable_place);
  }
  state->undoable = 0;
  commit(*state, EventEncoder::encode_undo(start_record(*state)));
}

}  // namespace

void record_allocation(AllocationKind kind, const void* block, size_t bytes) {
  ThreadState* state = prepare();
  if (__builtin_expect(state == nullptr, 0)) return sample_allocation(kind, block, bytes);
  // After prepare(): in a forked child the caches and tables are the child's own from there on. The
  // order word was read after the real call, which is all that order asks for.
  const uint32_t node = capture_stack(state->stacks);
  const auto address = reinterpret_cast<uint64_t>(block);
  uint8_t* const out = start_record(*state);
  if (state->shards == nullptr) {
    return commit(*state,
                  state->encoder.encode_allocation(out, kind, address, bytes, node, false, 0));
  }
  const uint32_t stamp = read_shard(*state, format::shard_of(address));
  commit(*state, state->encoder.encode_allocation(out, kind, address, bytes, node, true, stamp));
}

uint64_t draw_sample(size_t bytes) {
  if (attention.load(std::memory_order_relaxed) != kAttentionSampling) get_ready(thread_state);
  return draw(bytes);
}

__attribute__((noinline, cold)) void record_sample(AllocationKind kind, const void* block,
                                                   size_t bytes, uint64_t interval) {
  ThreadState* state = get_ready(thread_state);
  if (state == nullptr) return;
  look_whether_statistics_are_wanted();
  const auto address = reinterpret_cast<uint64_t>(block);
  if (!sampled_blocks::insert(address, sampler::place(state))) {
    ++state->lost_events;
    return;
  }
  const uint32_t node = capture_stack(state->stacks);
  uint8_t* out = start_record(*state);
  if (state->chunk_interval != interval) {
    state->chunk_interval = interval;
    out = EventEncoder::encode_interval(out, interval);
  }
  const uint32_t stamp = read_shard(*state, format::shard_of(address));
  commit(*state, state->encoder.encode_allocation(out, kind, address, bytes, node,
                                                  state->shards != nullptr, stamp));
}

void record_free(const void* block) {
  python::before_free();
  ThreadState* state = prepare();
  if (__builtin_expect(state == nullptr, 0)) return sample_free(block);
  const auto address = reinterpret_cast<uint64_t>(block);
  uint8_t* const out = start_record(*state);
  if (state->shards == nullptr) {
    return commit(*state, state->encoder.encode_free(out, address, false, 0));
  }
  const uint32_t stamp = bump_shard(*state, format::shard_of(address));
  commit(*state, state->encoder.encode_free(out, address, true, stamp));
}

void record_undo() {
  // Not prepare(): an epoch or time record may stand between a free and its undo, but nothing may
  // start the thread anew (no state, another process or session) and undo what it never did.
  if (thread_state == nullptr || !recording() || thread_state->session != process.session) return;
  ThreadState* state = prepare();
  if (state == nullptr) return sampler::active() ? sample_undo() : void();
  commit(*state, EventEncoder::encode_undo(start_record(*state)));
}

StreamPosition stream_position() {
  if (sampler::active()) return {nullptr, 0, sampler::position()};
  const ThreadState* state = thread_state;
  return state == nullptr ? StreamPosition{nullptr, 0, 0}
                          : StreamPosition{state->cursor, state->sequence, 0};
}

bool recorded_since(const StreamPosition& position, const void* block) {
  // Counted is as good as recorded.
  if (sampler::active()) return position.countdown != sample_countdown;
  const ThreadState* state = thread_state;
  if (state == nullptr) return false;
  const bool moved = state->cursor != position.cursor || state->sequence != position.sequence;
  return moved && state->encoder.last_allocated_address() == reinterpret_cast<uint64_t>(block);
}

// ---- pools

namespace {

// Nothing else may count the stamps of a pool's events: with them, all of them are in one order.
inline uint32_t bump_pool_shard(ThreadState& state, uint32_t pool) {
  return state.shards == nullptr ? 0 : bump_shard(state, format::shard_of_pool(pool));
}

void write_pool_free(ThreadState& state, uint8_t* out, uint32_t pool, uint64_t address) {
  const uint32_t stamp = bump_pool_shard(state, pool);
  commit(state, state.encoder.encode_pool_free(out, pool, address, state.shards != nullptr, stamp));
}

void write_pool_allocation(ThreadState& state, uint8_t* out, const PoolIdentity& pool,
                           uint64_t address, size_t bytes, uint32_t node) {
  const uint32_t stamp = bump_pool_shard(state, pool.number);
  commit(state, state.encoder.encode_pool_allocation(out, pool.number, pool.kind, address, bytes,
                                                     node, state.shards != nullptr, stamp));
}

// Among the sampled blocks, where no other address has the highest bit. Pools whose numbers differ
// by 2^15 are not told apart there; of a pool that is not its own a free counts nothing.
constexpr unsigned kPoolNumberShift = 48;
constexpr uint64_t kAddressInPool = (uint64_t{1} << kPoolNumberShift) - 1;
constexpr uint64_t key_of_pool(uint32_t pool) {
  return (uint64_t{pool} | uint64_t{1} << 15) << kPoolNumberShift;
}

__attribute__((noinline)) void sample_pool_allocation(Pool& pool, const void* block, size_t bytes) {
  const uint64_t interval = draw(bytes);
  const auto address = reinterpret_cast<uint64_t>(block);
  if (interval == 0 || address > kAddressInPool) return;
  ThreadState* state = get_ready(thread_state);
  if (state == nullptr) return;
  const PoolIdentity identity = identity_of(pool);
  if (identity.number == 0 ||
      !sampled_blocks::insert(key_of_pool(identity.number) | address, sampler::place(state))) {
    ++state->lost_events;
    return;
  }
  pool.samples.fetch_add(1, std::memory_order_relaxed);
  const uint32_t node = capture_stack(state->stacks);
  uint8_t* out = start_record(*state);
  if (state->chunk_interval != interval) {
    state->chunk_interval = interval;
    out = EventEncoder::encode_interval(out, interval);
  }
  write_pool_allocation(*state, out, identity, address, bytes, node);
}

// A sample that has been taken out of the table.
void write_sampled_pool_free(ThreadState& state, uint32_t pool, uint64_t address, uint64_t place) {
  uint8_t* out = start_record(state);
  if (place != sampler::place(&state)) out = EventEncoder::encode_outlived(out);
  write_pool_free(state, out, pool, address);
}

__attribute__((noinline)) void sample_pool_free(Pool& pool, const void* block) {
  const auto address = reinterpret_cast<uint64_t>(block);
  if (!sampler::active() || pool.samples.load(std::memory_order_relaxed) == 0) return;
  ThreadState* state = get_ready(thread_state);
  if (state == nullptr) return;
  const PoolIdentity identity = known_identity(pool);
  uint64_t place = 0;
  if (identity.number == 0 || address > kAddressInPool ||
      !sampled_blocks::remove(key_of_pool(identity.number) | address, place)) {
    return;
  }
  pool.samples.fetch_sub(1, std::memory_order_relaxed);
  write_sampled_pool_free(*state, identity.number, address, place);
}

// Each sample is freed by itself: they are few, and what is no sample must stay out of the table.
__attribute__((noinline)) void sample_pool_reset(Pool& pool) {
  if (!sampler::active() || pool.samples.load(std::memory_order_relaxed) == 0) return;
  if (get_ready(thread_state) == nullptr) return;
  const PoolIdentity identity = known_identity(pool);
  if (identity.number == 0) return;
  pool.samples.store(0, std::memory_order_relaxed);
  const uint32_t number = identity.number;
  sampled_blocks::remove_all(
      ~kAddressInPool, key_of_pool(number),
      [](uint64_t key, uint64_t place, void* argument) {
        ThreadState* state = get_ready(thread_state);
        if (state == nullptr) return;
        write_sampled_pool_free(*state, *static_cast<const uint32_t*>(argument),
                                key & kAddressInPool, place);
      },
      const_cast<uint32_t*>(&number));
}

}  // namespace

void record_pool_allocation(Pool& pool, const void* block, size_t bytes) {
  ThreadState* state = prepare();
  if (__builtin_expect(state == nullptr, 0)) return sample_pool_allocation(pool, block, bytes);
  // After prepare(), by which a forked child is a process of its own.
  const PoolIdentity identity = identity_of(pool);
  if (identity.number == 0) {
    ++state->lost_events;
    return;
  }
  const uint32_t node = capture_stack(state->stacks);
  write_pool_allocation(*state, start_record(*state), identity, reinterpret_cast<uint64_t>(block),
                        bytes, node);
}

void record_pool_free(Pool& pool, const void* block) {
  ThreadState* state = prepare();
  if (__builtin_expect(state == nullptr, 0)) return sample_pool_free(pool, block);
  // Also of a pool that this session has not seen yet: counted, if not believed.
  const PoolIdentity identity = identity_of(pool);
  if (identity.number == 0) {
    ++state->lost_events;
    return;
  }
  write_pool_free(*state, start_record(*state), identity.number, reinterpret_cast<uint64_t>(block));
}

void record_pool_reset(Pool& pool) {
  ThreadState* state = prepare();
  if (__builtin_expect(state == nullptr, 0)) return sample_pool_reset(pool);
  const PoolIdentity identity = known_identity(pool);
  if (identity.number == 0) return;
  uint8_t* const out = start_record(*state);
  const uint32_t stamp = bump_pool_shard(*state, identity.number);
  commit(*state,
         state->encoder.encode_pool_reset(out, identity.number, state->shards != nullptr, stamp));
}

// The three that follow are rare, and recorded also where blocks are sampled.

void record_map(AllocationKind kind, const void* address, size_t bytes) {
  ThreadState* state = get_ready(thread_state);
  if (state == nullptr) return;
  const uint32_t node = capture_stack(state->stacks);
  uint8_t* const out = start_record(*state);
  const uint32_t stamp = read_shard(*state, format::kMappingShard);
  commit(*state, state->encoder.encode_map(out, kind, reinterpret_cast<uint64_t>(address), bytes,
                                           node, state->shards != nullptr, stamp));
  look_whether_statistics_are_wanted();  // a program may grow by mappings alone
}

void record_unmap(const void* address, size_t bytes) {
  unwind::forget_stack_windows();  // it may have been a stack
  ThreadState* state = get_ready(thread_state);
  if (state == nullptr) return;
  state->undoable = kUndoableUnmap;
  uint8_t* const out = start_record(*state);
  const uint32_t stamp = bump_shard(*state, format::kMappingShard);
  commit(*state, state->encoder.encode_unmap(out, reinterpret_cast<uint64_t>(address), bytes,
                                             state->shards != nullptr, stamp));
}

void record_shutdown(bool began) {
  ThreadState* state = get_ready(thread_state);
  if (state == nullptr) return;
  commit(*state, EventEncoder::encode_shutdown(start_record(*state), began));
}

}  // namespace memlens::interposer

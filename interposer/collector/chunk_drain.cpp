#include "interposer/collector/chunk_drain.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <tuple>

#include "interposer/platform/futex.h"

namespace memlens::collector {

using namespace segment;

namespace {

// What the collector owns while it gives a chunk's memory back; no process has this slot.
constexpr uint32_t kCollectorSlot = kMaxProcesses;
// The pool shrinks after about a second (100 scans, one every 10 ms) of little use.
constexpr uint32_t kQuietScansToShrink = 100;
// How often metadata is looked for again when a chunk was handed over while we were scanning.
constexpr int kMetadataAttempts = 3;

}  // namespace

ChunkDrain::ChunkDrain(SharedSegment& segment, CaptureWriter& writer, bool sampled)
    : shared_(segment),
      segment_(segment.header()),
      writer_(writer),
      sampled_(sampled),
      first_ticks_(segment.first_ticks()),
      owners_(kMaxProcesses),
      payload_(kChunkPayloadBytes),
      active_(kInitialChunks),
      scan_limit_(kInitialChunks) {}

unsigned ChunkDrain::drain() {
  segment_->handed_over.exchange(0);
  const unsigned freed = drain_found(Take::kFull, 0);
  resize_pool();
  return freed;
}

void ChunkDrain::drain_so_far() { drain_found(Take::kSoFar, 0); }

void ChunkDrain::drain_dead(uint32_t slot) { drain_found(Take::kDeadSlot, slot); }

void ChunkDrain::drain_rest() { drain_found(Take::kAll, 0); }

// kFull: full event chunks, and all metadata. kSoFar: all that is committed. kDeadSlot: whatever
// the slot owns or handed over.
void ChunkDrain::find_chunks(Take take, uint32_t dead_slot) {
  events_found_.clear();
  metadata_found_.clear();
  damaged_found_.clear();
  owned_ = 0;
  for (uint32_t i = 0; i < scan_limit_; ++i) find_chunk(i, take, dead_slot);
  // As they were filled, also where the later one took a place further in front: whoever reads a
  // capture in the file's order has a thread's events in the thread's.
  const auto filled_before = [](const ChunkSnapshot& left, const ChunkSnapshot& right) {
    return std::tie(left.process, left.thread, left.sequence) <
           std::tie(right.process, right.thread, right.sequence);
  };
  std::sort(metadata_found_.begin(), metadata_found_.end(), filled_before);
  std::stable_sort(events_found_.begin(), events_found_.end(), filled_before);
}

void ChunkDrain::find_chunk(uint32_t index, Take take, uint32_t dead_slot) {
  const uint32_t word = segment_->chunk_words[index].load(std::memory_order_acquire);
  const ChunkState state = chunk_state(word);
  if (state == kFree && word == chunk_word(kFree, 0)) return;
  const uint32_t slot = chunk_slot(word);
  if (word == chunk_word(kOwned, kCollectorSlot)) return;
  if ((state != kOwned && state != kFull) || word != chunk_word(state, slot) ||
      slot >= kMaxProcesses) {
    // No program makes such a word. Free again, or chunk by chunk the pool would run dry and
    // programs wait for ever.
    ++damaged_chunks_;
    damaged_found_.push_back(index);
    return;
  }
  const bool full = state == kFull;
  if (!full) ++owned_;
  const bool dead = take == Take::kDeadSlot && slot == dead_slot;
  if (take == Take::kDeadSlot && !dead) return;
  ChunkSnapshot chunk = take_snapshot(shared_.chunk(index), index, slot);
  chunk.full = full || dead;
  // An owned chunk's header is only valid once something is committed.
  if (chunk.committed == 0) {
    if (chunk.full) events_found_.push_back(chunk);
    return;
  }
  const uint32_t owner = owner_of(chunk);
  if (chunk.is(format::FrameKind::kMetadata)) {
    if (is_plausible(chunk, owner, first_ticks_)) return metadata_found_.push_back(chunk);
  } else {
    if (take == Take::kFull && !full) return;
    if (is_plausible(chunk, owner, first_ticks_)) return events_found_.push_back(chunk);
  }
  // Told once: an owned one is met again at each scan.
  if (chunk.full || take == Take::kAll) ++damaged_chunks_;
  if (chunk.full) damaged_found_.push_back(index);
}

// Whose slot it is. What the slot and a chunk once said alike is remembered: a write over the slot
// takes no chunk with it.
uint32_t ChunkDrain::owner_of(const ChunkSnapshot& chunk) {
  const volatile uint32_t& said = segment_->processes[chunk.slot].process;
  uint32_t& owner = owners_[chunk.slot];
  if (said == chunk.process) owner = chunk.process;
  return owner;
}

// Whether a process's first chunk found is not the one that follows what is written: then the chunk
// between was claimed behind the scan's back and handed over before the scan ended.
bool ChunkDrain::metadata_has_gap() const {
  uint32_t process = 0;
  uint32_t expected = 0;
  for (const ChunkSnapshot& chunk : metadata_found_) {
    if (chunk.process != process) {
      process = chunk.process;
      const auto stream = metadata_.find(process);
      expected = stream == metadata_.end() ? 0 : stream->second.next_chunk;
    }
    if (chunk.sequence != expected++) return true;
  }
  return false;
}

// The compressor and the checksum must see the same bytes, whatever a program does to its own: 3 %
// of the time that compressing them takes.
std::span<const uint8_t> ChunkDrain::copy_payload(const ChunkSnapshot& chunk, uint32_t from) {
  const auto* payload = reinterpret_cast<const uint8_t*>(shared_.chunk(chunk.index) + 1);
  std::memcpy(payload_.data(), payload + from, chunk.committed - from);
  return {payload_.data(), chunk.committed - from};
}

void ChunkDrain::write_metadata(const ChunkSnapshot& chunk) {
  MetadataStream& stream = metadata_[chunk.process];
  if (chunk.sequence != stream.next_chunk) {
    // A chunk written whole is freed at once, so a lower number is one missed: late, not lost.
    stream.next_chunk = chunk.sequence;
    stream.written_bytes = 0;
    stream.damaged = false;
  }
  // Where a record's length cannot be trusted, nobody knows where the next begins in this chunk.
  // The first of the next chunk leans on none (metadata_writer.h).
  if (!stream.damaged && chunk.committed > stream.written_bytes) {
    std::span<const uint8_t> payload = copy_payload(chunk, stream.written_bytes);
    const size_t good = well_formed_bytes(payload);
    stream.damaged = good != payload.size();
    damaged_chunks_ += stream.damaged ? 1 : 0;
    payload = payload.first(good);
    FrameDescription frame;
    frame.kind = format::FrameKind::kMetadata;
    frame.process = chunk.process;
    frame.sequence = stream.next_frame;
    frame.ticks = chunk.ticks;
    if (!payload.empty() && writer_.append(frame, payload)) ++stream.next_frame;
    stream.written_bytes = chunk.committed;
  }
  if (chunk.full) {
    ++stream.next_chunk;
    stream.written_bytes = 0;
    stream.damaged = false;
  }
}

bool ChunkDrain::append_events(format::FrameKind kind, const ChunkSnapshot& chunk) {
  FrameDescription frame;
  frame.kind = kind;
  frame.process = chunk.process;
  frame.thread = chunk.thread;
  frame.sequence = chunk.sequence;
  frame.lost_events = chunk.lost_events;
  frame.ticks = chunk.ticks;
  frame.order_epoch = chunk.order_epoch;
  frame.shared_order = chunk.shared_order != 0;
  return writer_.append(frame, copy_payload(chunk, 0));
}

void ChunkDrain::write_events(const ChunkSnapshot& chunk) {
  if (chunk.committed == 0) return;
  append_events(sampled_ ? format::FrameKind::kSampledEvents : format::FrameKind::kEvents, chunk);
  event_bytes_ += chunk.committed;
}

// Of a thread that sleeps nothing is new, however often somebody looks.
void ChunkDrain::write_unfinished(const ChunkSnapshot& chunk) {
  Unfinished& known = unfinished_[chunk.index];
  if (known.process == chunk.process && known.thread == chunk.thread &&
      known.sequence == chunk.sequence && known.written_bytes == chunk.committed) {
    return;
  }
  if (append_events(format::FrameKind::kUnfinishedEvents, chunk)) {
    known = {chunk.process, chunk.thread, chunk.sequence, chunk.committed};
  }
}

void ChunkDrain::free_chunk(uint32_t index) {
  // Zeroed before it is free: who claims it next finds nothing committed.
  shared_.chunk(index)->committed.store(0, std::memory_order_relaxed);
  segment_->chunk_words[index].store(chunk_word(kFree, 0), std::memory_order_release);
}

unsigned ChunkDrain::drain_found(Take take, uint32_t dead_slot) {
  find_chunks(take, dead_slot);
  if (take == Take::kFull || take == Take::kSoFar) {
    for (int attempt = 1; attempt < kMetadataAttempts && metadata_has_gap(); ++attempt) {
      find_chunks(take, dead_slot);
    }
  }
  // Without events of the process there is no hurry to cut its metadata into small frames.
  std::unordered_set<uint32_t> with_events;
  for (const ChunkSnapshot& chunk : events_found_) with_events.insert(chunk.process);
  const unsigned wake_every = std::max(1u, active_ / 4);
  unsigned freed = 0;
  const auto free_and_wake = [&](uint32_t index) {
    free_chunk(index);
    if (++freed % wake_every == 0) wake_producers();
  };
  for (const ChunkSnapshot& chunk : metadata_found_) {
    if (!chunk.full && take == Take::kFull && with_events.count(chunk.process) == 0) continue;
    if (writer_.failure() == 0) write_metadata(chunk);
    if (chunk.full) free_and_wake(chunk.index);
  }
  for (const ChunkSnapshot& chunk : events_found_) {
    if (writer_.failure() == 0) {
      chunk.full || take != Take::kSoFar ? write_events(chunk) : write_unfinished(chunk);
    }
    if (chunk.full) free_and_wake(chunk.index);
  }
  for (const uint32_t index : damaged_found_) free_and_wake(index);
  if (freed % wake_every != 0) wake_producers();
  return freed;
}

void ChunkDrain::resize_pool() {
  if (owned_ * 2 > active_ && active_ < kMaxChunks && shared_.map_chunks(active_ * 2)) {
    active_ *= 2;
    scan_limit_ = std::max(scan_limit_, active_);
    segment_->active_chunks.store(active_, std::memory_order_release);
    quiet_scans_ = 0;
    wake_producers();
    return;
  }
  if (active_ == kInitialChunks || owned_ * 8 > active_) {
    quiet_scans_ = 0;
    return;
  }
  if (++quiet_scans_ < kQuietScansToShrink) return;
  quiet_scans_ = 0;
  active_ = std::max(kInitialChunks, active_ / 2);
  segment_->active_chunks.store(active_, std::memory_order_release);
  release_unused();
}

// Gives the memory of free chunks beyond the pool back to the system. A program that still read the
// larger pool may claim one of them at any time, so each is claimed here first.
void ChunkDrain::release_unused() {
  for (uint32_t i = active_; i < scan_limit_; ++i) {
    uint32_t expected = chunk_word(kFree, 0);
    if (!segment_->chunk_words[i].compare_exchange_strong(expected,
                                                          chunk_word(kOwned, kCollectorSlot))) {
      continue;
    }
    madvise(shared_.chunk(i), kChunkBytes, MADV_REMOVE);
    segment_->chunk_words[i].store(chunk_word(kFree, 0), std::memory_order_release);
  }
}

void ChunkDrain::wake_producers() {
  segment_->freed_sequence.fetch_add(1);
  if (segment_->producers_wait.exchange(0) != 0) {
    platform::futex_wake(segment_->freed_sequence, INT32_MAX);
  }
}

void ChunkDrain::sleep(int64_t timeout_ns) {
  std::atomic<uint32_t>& asleep = segment_->collector_asleep;
  asleep.store(1);
  // Again after saying so: who handed over before that rings nobody.
  const bool called =
      segment_->handed_over.load() >= active_ / 4 || segment_->producers_wait.load() != 0;
  if (!called) platform::futex_wait(asleep, 1, timeout_ns);
  asleep.store(0);
}

}  // namespace memlens::collector

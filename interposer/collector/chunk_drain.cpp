#include "interposer/collector/chunk_drain.h"

#include <sys/mman.h>

#include <algorithm>
#include <set>

#include "interposer/segment/futex.h"

namespace memlens::collector {

using namespace segment;

namespace {

// What the collector owns while it gives a chunk's memory back; no process has this slot.
constexpr uint32_t kCollectorSlot = kMaxProcesses;
// The pool shrinks after about a second (100 scans, one every 10 ms) of little use.
constexpr uint32_t kQuietScansToShrink = 100;
// How often metadata is looked for again when a chunk was handed over while we were scanning.
constexpr int kMetadataAttempts = 3;

uint32_t committed_bytes(const ChunkHeader* chunk) {
  // Shared memory is the program's to damage: never believe a length.
  return std::min(chunk->committed.load(std::memory_order_acquire), kChunkPayloadBytes);
}

}  // namespace

ChunkDrain::ChunkDrain(SegmentHeader* segment, CaptureWriter& writer)
    : segment_(segment), writer_(writer), scan_limit_(segment->active_chunks) {}

unsigned ChunkDrain::drain() {
  segment_->handed_over.exchange(0);
  const unsigned freed = drain_found(Take::kFull, 0);
  resize_pool();
  return freed;
}

void ChunkDrain::drain_dead(uint32_t slot) { drain_found(Take::kDeadSlot, slot); }

void ChunkDrain::drain_rest() { drain_found(Take::kAll, 0); }

// kFull: full event chunks, and all metadata. kDeadSlot: whatever the slot owns or handed over.
void ChunkDrain::find_chunks(Take take, uint32_t dead_slot) {
  events_found_.clear();
  metadata_found_.clear();
  owned_ = 0;
  for (uint32_t i = 0; i < scan_limit_; ++i) {
    const uint64_t word = segment_->chunk_words[i].load(std::memory_order_acquire);
    const ChunkState state = chunk_state(word);
    if (state == kFree) continue;
    const bool full = state == kFull;
    if (!full) ++owned_;
    const bool dead = take == Take::kDeadSlot && chunk_slot(word) == dead_slot;
    if (take == Take::kDeadSlot && !dead) continue;
    const ChunkHeader* chunk = chunk_at(segment_, i);
    // An owned chunk's header is only valid once something is committed.
    const bool empty = committed_bytes(chunk) == 0;
    if (empty && !full && !dead) continue;
    const bool takes_owned = take != Take::kFull;
    if (!empty && chunk->kind == static_cast<uint16_t>(format::FrameKind::kMetadata)) {
      metadata_found_.push_back({i, full || dead});
    } else if (full || takes_owned) {
      events_found_.push_back({i, full || dead});
    }
  }
  std::sort(metadata_found_.begin(), metadata_found_.end(), [this](Found a, Found b) {
    const ChunkHeader* left = chunk_at(segment_, a.index);
    const ChunkHeader* right = chunk_at(segment_, b.index);
    return left->process != right->process ? left->process < right->process
                                           : left->sequence < right->sequence;
  });
}

// Whether a process's first chunk found is not the one that follows what is written: then the chunk
// between was claimed behind the scan's back and handed over before the scan ended.
bool ChunkDrain::metadata_has_gap() const {
  uint32_t process = 0;
  uint32_t expected = 0;
  for (const Found& found : metadata_found_) {
    const ChunkHeader* chunk = chunk_at(segment_, found.index);
    if (chunk->process != process) {
      process = chunk->process;
      const auto stream = metadata_.find(process);
      expected = stream == metadata_.end() ? 0 : stream->second.next_chunk;
    }
    if (chunk->sequence != expected++) return true;
  }
  return false;
}

void ChunkDrain::write_metadata(const Found& found) {
  const ChunkHeader* chunk = chunk_at(segment_, found.index);
  MetadataStream& stream = metadata_[chunk->process];
  if (chunk->sequence != stream.next_chunk) {
    // A chunk written whole is freed at once, so a lower number is one missed: late, not lost.
    stream.next_chunk = chunk->sequence;
    stream.written_bytes = 0;
  }
  const uint32_t committed = committed_bytes(chunk);
  if (committed > stream.written_bytes) {
    FrameDescription frame;
    frame.kind = format::FrameKind::kMetadata;
    frame.process = chunk->process;
    frame.sequence = stream.next_frame;
    frame.ticks = chunk->ticks;
    const auto* payload = reinterpret_cast<const uint8_t*>(chunk + 1);
    if (writer_.append(frame, {payload + stream.written_bytes, committed - stream.written_bytes})) {
      ++stream.next_frame;
    }
    stream.written_bytes = committed;
  }
  if (found.full) {
    ++stream.next_chunk;
    stream.written_bytes = 0;
  }
}

void ChunkDrain::write_events(const Found& found) {
  const ChunkHeader* chunk = chunk_at(segment_, found.index);
  const uint32_t committed = committed_bytes(chunk);
  if (committed == 0 || chunk->kind != static_cast<uint16_t>(format::FrameKind::kEvents)) return;
  FrameDescription frame;
  frame.kind = segment_->sample_interval.load(std::memory_order_relaxed) == 0
                   ? format::FrameKind::kEvents
                   : format::FrameKind::kSampledEvents;
  frame.process = chunk->process;
  frame.thread = chunk->thread;
  frame.sequence = chunk->sequence;
  frame.lost_events = chunk->lost_events;
  frame.ticks = chunk->ticks;
  frame.order_epoch = chunk->order_epoch;
  frame.shared_order = chunk->shared_order != 0;
  writer_.append(frame, {reinterpret_cast<const uint8_t*>(chunk + 1), committed});
  event_bytes_ += committed;
}

void ChunkDrain::free_chunk(uint32_t index) {
  // Zeroed before it is free: who claims it next finds nothing committed.
  chunk_at(segment_, index)->committed.store(0, std::memory_order_relaxed);
  segment_->chunk_words[index].store(chunk_word(kFree, 0), std::memory_order_release);
}

unsigned ChunkDrain::drain_found(Take take, uint32_t dead_slot) {
  find_chunks(take, dead_slot);
  if (take == Take::kFull) {
    for (int attempt = 1; attempt < kMetadataAttempts && metadata_has_gap(); ++attempt) {
      find_chunks(take, dead_slot);
    }
  }
  // Without events of the process there is no hurry to cut its metadata into small frames.
  std::set<uint32_t> with_events;
  for (const Found& found : events_found_) {
    with_events.insert(chunk_at(segment_, found.index)->process);
  }
  const unsigned wake_every = std::max(1u, segment_->active_chunks.load() / 4);
  unsigned freed = 0;
  const auto free_if_done = [&](const Found& found) {
    if (!found.full) return;
    free_chunk(found.index);
    if (++freed % wake_every == 0) wake_producers();
  };
  for (const Found& found : metadata_found_) {
    const bool wanted = found.full || take != Take::kFull ||
                        with_events.count(chunk_at(segment_, found.index)->process) != 0;
    if (!wanted) continue;
    if (writer_.failure() == 0) write_metadata(found);
    free_if_done(found);
  }
  for (const Found& found : events_found_) {
    if (writer_.failure() == 0) write_events(found);
    free_if_done(found);
  }
  if (freed % wake_every != 0) wake_producers();
  return freed;
}

void ChunkDrain::resize_pool() {
  const uint32_t active = segment_->active_chunks.load(std::memory_order_relaxed);
  if (owned_ * 2 > active && active < kMaxChunks) {
    const uint32_t grown = std::min(kMaxChunks, active * 2);
    scan_limit_ = std::max(scan_limit_, grown);
    segment_->active_chunks.store(grown, std::memory_order_release);
    quiet_scans_ = 0;
    wake_producers();
    return;
  }
  if (active == kInitialChunks || owned_ * 8 > active) {
    quiet_scans_ = 0;
    return;
  }
  if (++quiet_scans_ < kQuietScansToShrink) return;
  quiet_scans_ = 0;
  segment_->active_chunks.store(std::max(kInitialChunks, active / 2), std::memory_order_release);
  release_unused();
}

// Gives the memory of free chunks beyond the pool back to the system. A program that still read the
// larger pool may claim one of them at any time, so each is claimed here first.
void ChunkDrain::release_unused() {
  for (uint32_t i = segment_->active_chunks.load(); i < scan_limit_; ++i) {
    uint64_t expected = chunk_word(kFree, 0);
    if (!segment_->chunk_words[i].compare_exchange_strong(expected,
                                                          chunk_word(kOwned, kCollectorSlot))) {
      continue;
    }
    madvise(chunk_at(segment_, i), kChunkBytes, MADV_REMOVE);
    segment_->chunk_words[i].store(chunk_word(kFree, 0), std::memory_order_release);
  }
}

void ChunkDrain::wake_producers() {
  segment_->freed_sequence.fetch_add(1);
  if (segment_->producers_wait.exchange(0) != 0) {
    futex_wake(segment_->freed_sequence, INT32_MAX);
  }
}

void ChunkDrain::sleep(int64_t timeout_ns) {
  std::atomic<uint32_t>& asleep = segment_->collector_asleep;
  asleep.store(1);
  // Again after saying so: who handed over before that rings nobody.
  const bool called = segment_->handed_over.load() >= segment_->active_chunks.load() / 4 ||
                      segment_->producers_wait.load() != 0;
  if (!called) futex_wait(asleep, 1, timeout_ns);
  asleep.store(0);
}

}  // namespace memlens::collector

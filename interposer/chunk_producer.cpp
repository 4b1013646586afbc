#include "interposer/chunk_producer.h"

#include <cerrno>

#include "interposer/segment/futex.h"

namespace memlens::interposer {

using namespace segment;

namespace {

constexpr int64_t kWaitRoundNs = 50'000'000;

// First fit: the pool's first chunks stay in the cache (rotating through a cold pool costs 4-6 ns
// an event).
bool try_claim(SegmentHeader* segment, uint32_t slot, uint32_t& index) {
  const uint32_t active = segment->active_chunks.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < active; ++i) {
    std::atomic<uint64_t>& word = segment->chunk_words[i];
    if (chunk_state(word.load(std::memory_order_relaxed)) != kFree) continue;
    uint64_t expected = chunk_word(kFree, 0);
    if (word.compare_exchange_strong(expected, chunk_word(kOwned, slot),
                                     std::memory_order_acquire)) {
      index = i;
      return true;
    }
  }
  return false;
}

bool wait_and_claim(SegmentHeader* segment, uint32_t slot, uint32_t& index) {
  for (;;) {
    if (collector_is_dead(segment) || segment->stop.load(std::memory_order_relaxed) != 0) {
      return false;
    }
    const uint32_t seen = segment->freed_sequence.load();
    segment->producers_wait.store(1);
    // Again after announcing that we wait: a chunk freed before that would wake nobody.
    if (try_claim(segment, slot, index)) return true;
    wake_collector(segment);
    futex_wait(segment->freed_sequence, seen, kWaitRoundNs);
    if (try_claim(segment, slot, index)) return true;
  }
}

}  // namespace

ClaimedChunk claim_chunk(SegmentHeader* segment, uint32_t slot) {
  const int saved_errno = errno;
  uint32_t index = 0;
  const bool claimed = try_claim(segment, slot, index) || wait_and_claim(segment, slot, index);
  errno = saved_errno;
  if (!claimed) return {};
  return {chunk_at(segment, index), index};
}

void hand_over_chunk(SegmentHeader* segment, uint32_t index, uint32_t slot) {
  segment->chunk_words[index].store(chunk_word(kFull, slot), std::memory_order_release);
  const uint32_t waiting = segment->handed_over.fetch_add(1) + 1;
  if (waiting >= segment->active_chunks.load(std::memory_order_relaxed) / 4) {
    const int saved_errno = errno;
    wake_collector(segment);
    errno = saved_errno;
  }
}

}  // namespace memlens::interposer

#include "interposer/session/chunk_producer.h"

#include <algorithm>
#include <cerrno>

#include "interposer/platform/futex.h"
#include "interposer/platform/system_call.h"
#include "interposer/segment/chunk_windows.h"
#include "interposer/segment/collector_life.h"

namespace memlens::interposer {

using namespace segment;

namespace {

constexpr int64_t kWaitRoundNs = 50'000'000;

segment::ChunkWindows windows;

enum class Claim : uint8_t { kClaimed, kNoneFree, kNoAddressSpace };

// The window that is `distance` further, made from one that is mapped: by now the program may have
// closed every descriptor and changed its root. mremap with an old size of 0 maps a shared file's
// pages once more, from that address of the file on and as far as asked for: here, from the last
// page of this window to the end of that one. All but that one is given back at once.
char* map_from(const char* window, uint32_t distance) {
  constexpr size_t kPageBytes = 4096;
  const char* last_page = window + window_bytes() - kPageBytes;
  const size_t before = kPageBytes + size_t{distance - 1} * window_bytes();
  void* mapped = system_call::map_again(last_page, before + window_bytes());
  if (mapped == MAP_FAILED) return nullptr;
  auto* start = static_cast<char*>(mapped);
  system_call::unmap(start, before);
  return start + before;
}

// From the last window that is mapped, at one stride, or by smaller ones where address space is
// short: a stride takes, for a moment, what lies between.
bool map_window(uint32_t wanted) {
  uint32_t number = wanted;
  while (windows.window(number) == nullptr) --number;
  char* window = windows.window(number);
  uint32_t stride = wanted - number;
  for (bool ours = false; number != wanted;) {
    stride = std::min(stride, wanted - number);
    char* next = map_from(window, stride);
    if (next == nullptr && stride > 1) {
      stride /= 2;
      continue;
    }
    if (ours) system_call::unmap(window, window_bytes());
    if (next == nullptr) return false;
    window = next;
    number += stride;
    ours = true;
  }
  if (window != windows.window(wanted) && !windows.add(wanted, window)) {
    system_call::unmap(window, window_bytes());
  }
  return true;
}

// First fit: the pool's first chunks stay in the cache (rotating through a cold pool costs 4-6 ns
// an event).
Claim try_claim(SegmentHeader* segment, uint32_t slot, ClaimedChunk& claimed) {
  // Shared memory is everybody's to damage.
  const uint32_t active =
      std::min(segment->active_chunks.load(std::memory_order_acquire), kMaxChunks);
  Claim result = Claim::kNoneFree;
  for (uint32_t i = 0; i < active; ++i) {
    std::atomic<uint32_t>& word = segment->chunk_words[i];
    if (chunk_state(word.load(std::memory_order_relaxed)) != kFree) continue;
    if (windows.window(i / kWindowChunks) == nullptr && !map_window(i / kWindowChunks)) {
      result = Claim::kNoAddressSpace;
      i |= kWindowChunks - 1;  // on to the next window
      continue;
    }
    uint32_t expected = chunk_word(kFree, 0);
    if (word.compare_exchange_strong(expected, chunk_word(kOwned, slot),
                                     std::memory_order_acquire)) {
      claimed = {windows.chunk(i), i};
      return Claim::kClaimed;
    }
  }
  return result;
}

// A chunk that is mapped here waits for the collector, so it will be free.
bool mapped_chunk_is_full(SegmentHeader* segment) {
  for (uint32_t i = 0; i < kMaxChunks; ++i) {
    if (windows.window(i / kWindowChunks) == nullptr) continue;
    if (chunk_state(segment->chunk_words[i].load(std::memory_order_relaxed)) == kFull) return true;
  }
  return false;
}

bool wait_and_claim(SegmentHeader* segment, uint32_t slot, ClaimedChunk& claimed) {
  for (;;) {
    if (collector_is_dead(segment) || segment->stop.load(std::memory_order_relaxed) != 0) {
      return false;
    }
    const uint32_t seen = segment->freed_sequence.load();
    segment->producers_wait.store(1);
    // Again after announcing that we wait: a chunk freed before that would wake nobody.
    Claim result = try_claim(segment, slot, claimed);
    if (result == Claim::kClaimed) return true;
    if (result == Claim::kNoAddressSpace && !mapped_chunk_is_full(segment)) {
      // Once more, for the one that was freed between the two looks.
      result = try_claim(segment, slot, claimed);
      claimed.no_address_space = result == Claim::kNoAddressSpace;
      if (result != Claim::kNoneFree) return result == Claim::kClaimed;
    }
    wake_collector(segment);
    platform::futex_wait(segment->freed_sequence, seen, kWaitRoundNs);
  }
}

}  // namespace

void start_chunk_windows(SegmentHeader* segment) {
  if (windows.window(0) != nullptr) {  // a former session's
    for (uint32_t i = 1; i < kMaxWindows; ++i) {
      if (windows.window(i) != nullptr) system_call::unmap(windows.take(i), window_bytes());
    }
  }
  windows.start(segment);
}

void map_room_for_child(SegmentHeader* segment) {
  constexpr uint32_t kChunksOfChild = 2;  // definitions and events
  constexpr uint32_t kMostWindows = kInitialWindows / 2;
  uint32_t free_chunks = 0;
  for (uint32_t number = 0; number < kMostWindows; ++number) {
    if (windows.window(number) == nullptr) {
      const int saved_errno = errno;
      map_window(number);
      errno = saved_errno;
      return;
    }
    for (uint32_t i = number * kWindowChunks; i < (number + 1) * kWindowChunks; ++i) {
      if (segment->chunk_words[i].load(std::memory_order_relaxed) == chunk_word(kFree, 0) &&
          ++free_chunks == kChunksOfChild) {
        return;
      }
    }
  }
}

ClaimedChunk claim_chunk(SegmentHeader* segment, uint32_t slot) {
  const int saved_errno = errno;
  ClaimedChunk claimed;
  if (try_claim(segment, slot, claimed) != Claim::kClaimed &&
      !wait_and_claim(segment, slot, claimed)) {
    claimed.header = nullptr;
  }
  errno = saved_errno;
  return claimed;
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

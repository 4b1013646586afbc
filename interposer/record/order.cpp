#include "interposer/record/order.h"

#include <sys/mman.h>

#include <cerrno>

#include "interposer/guest/private_memory.h"
#include "interposer/platform/clock.h"
#include "interposer/platform/system_call.h"

namespace memlens::interposer::order {
namespace {

constexpr size_t kPageBytes = 4096;
constexpr unsigned kHandoffsPerWindow = 16;
constexpr uint64_t kHandoffWindowTicks = 416'000;  // about 160 us at 2.6 GHz; need not be exact
constexpr uint32_t kChunksToUnshare = 8;

std::atomic<uint64_t> before_start[2];

// Behind the word, wiped with it.
std::atomic<uint64_t>& child_claim() { return word[1]; }

// All of this is the process's own and is reset by start() in a forked child.
ShardCounter* arrays[kMaxSharedArrays];
std::atomic<uint32_t> arrays_used{0};
std::atomic<uint64_t> window_start{0};
std::atomic<uint32_t> last_closer{0};
std::atomic<uint32_t> closer_run{0};

bool handoffs_are_frequent(uint64_t epoch) {
  if (epoch % kHandoffsPerWindow != 0) return false;
  const uint64_t now = platform::read_ticks();
  const uint64_t before = window_start.exchange(now);
  return before != 0 && now - before < kHandoffWindowTicks;
}

// A fresh set of counters; false when all are used up (ownership then goes on changing hands, which
// is slower and just as right).
bool fresh_array(unsigned& index) {
  const uint32_t next = arrays_used.fetch_add(1);
  if (next >= kMaxSharedArrays) {
    arrays_used.store(kMaxSharedArrays);
    return false;
  }
  if (arrays[next] == nullptr) {
    arrays[next] =
        static_cast<ShardCounter*>(map_pages(sizeof(ShardCounter) * format::kShardCount));
  }
  index = next;
  return arrays[next] != nullptr;
}

}  // namespace

std::atomic<uint64_t>* word = before_start;

bool claim_forked_child() { return child_claim().exchange(1) == 0; }

void give_claim_back() { child_claim().store(0); }

bool start() {
  if (word == before_start) {
    void* page = map_pages(kPageBytes);
    if (page == nullptr) return false;
    const int saved_errno = errno;
    // Without it (kernel < 4.14) only forks through libc are noticed.
    system_call::advise(page, kPageBytes, MADV_WIPEONFORK);
    errno = saved_errno;
    word = static_cast<std::atomic<uint64_t>*>(page);
  }
  // In a child these counters are copies of the parent's; they must start from 0 again.
  for (ShardCounter* const array : arrays) {
    if (array != nullptr) clear_pages(array, sizeof(ShardCounter) * format::kShardCount);
  }
  arrays_used.store(0);
  window_start.store(0);
  last_closer.store(0);
  closer_run.store(0);
  // In a later session epochs go on, so that no word comes twice.
  const uint64_t epoch = epoch_of(word->load(std::memory_order_relaxed)) + 1;
  word->store(make_word(epoch, 0, kNoOwner), std::memory_order_release);
  return true;
}

uint64_t take(uint32_t owner) {
  for (;;) {
    uint64_t current = word->load(std::memory_order_acquire);
    if (is_shared(current) || owner_of(current) == owner) return current;
    const uint64_t epoch = epoch_of(current) + 1;
    uint64_t next = make_word(epoch, array_of(current), owner);
    unsigned array = 0;
    if (handoffs_are_frequent(epoch) && fresh_array(array)) {
      next = make_word(epoch, array, kShared);
    }
    if (word->compare_exchange_strong(current, next, std::memory_order_acq_rel)) return next;
  }
}

void chunk_ended_in_shared_epoch(uint32_t owner) {
  if (last_closer.exchange(owner) != owner) {
    closer_run.store(1);
    return;
  }
  if (closer_run.fetch_add(1) + 1 < kChunksToUnshare) return;
  closer_run.store(0);
  if (arrays_used.load() >= kMaxSharedArrays) return;
  uint64_t current = word->load(std::memory_order_acquire);
  if (!is_shared(current)) return;
  window_start.store(0);
  word->compare_exchange_strong(current, make_word(epoch_of(current) + 1, array_of(current), owner),
                                std::memory_order_acq_rel);
}

void release(uint32_t owner) {
  uint64_t current = word->load(std::memory_order_acquire);
  while (owner_of(current) == owner &&
         !word->compare_exchange_weak(current,
                                      make_word(epoch_of(current) + 1, array_of(current), kNoOwner),
                                      std::memory_order_acq_rel)) {
  }
}

ShardCounter* counters(uint64_t shared_word) { return arrays[array_of(shared_word)]; }

}  // namespace memlens::interposer::order

#include "reader/analysis/live_blocks.h"

#include <sys/mman.h>

#include <bit>
#include <new>

namespace memlens::reader {

namespace {

constexpr size_t kFirstCapacity = 1024;
constexpr size_t kHugePageBytes = 2 << 20;

// Zeroed pages, huge ones for a table where every look-up would miss the TLB otherwise.
LiveBlock* map_slots(size_t capacity) {
  const size_t size_bytes = capacity * sizeof(LiveBlock);
  void* pages =
      ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  if (size_bytes >= kHugePageBytes) ::madvise(pages, size_bytes, MADV_HUGEPAGE);
  return static_cast<LiveBlock*>(pages);
}

}  // namespace

LiveBlocks::~LiveBlocks() { clear(); }

void LiveBlocks::clear() {
  if (slots_ != nullptr) ::munmap(slots_, capacity_ * sizeof(LiveBlock));
  slots_ = nullptr;
  capacity_ = mask_ = count_ = 0;
  births_ = {};
}

void LiveBlocks::grow() {
  LiveBlock* const old_slots = slots_;
  const size_t old_capacity = capacity_;
  const size_t new_capacity = old_capacity == 0 ? kFirstCapacity : 2 * old_capacity;
  slots_ = map_slots(new_capacity);
  capacity_ = new_capacity;
  mask_ = capacity_ - 1;
  std::vector<uint32_t> old_births(keeps_births_ ? new_capacity : 0);
  old_births.swap(births_);
  shift_ = 64 - static_cast<unsigned>(std::countr_zero(capacity_));
  for (size_t i = 0; i < old_capacity; ++i) {
    if (old_slots[i].address == 0) continue;
    size_t slot = slot_of(old_slots[i].address);
    while (slots_[slot].address != 0) slot = (slot + 1) & mask_;
    slots_[slot] = old_slots[i];
    if (keeps_births_) births_[slot] = old_births[i];
  }
  if (old_slots != nullptr) ::munmap(old_slots, old_capacity * sizeof(LiveBlock));
}

}  // namespace memlens::reader

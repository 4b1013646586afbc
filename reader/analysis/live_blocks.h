// The blocks alive in one process, by address.
//
// Open addressing with linear probing and no tombstones: an event costs one cache miss, and that is
// asked for a few events ahead (prefetch). Memory is proportional to the blocks alive at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace memlens::reader {

struct LiveBlock {
  uint64_t address;  // 0: an empty slot
  uint64_t size_bytes : 56;
  uint64_t generation : 7;  // how many shutdowns had begun when it was allocated
  uint64_t counted : 1;     // allocated within the range of the query
  uint32_t site;
  uint32_t birth;  // its thread's count of allocations when it was allocated, this one included
};
static_assert(sizeof(LiveBlock) == 24);

class LiveBlocks {
 public:
  LiveBlocks() = default;
  ~LiveBlocks();
  LiveBlocks(const LiveBlocks&) = delete;
  LiveBlocks& operator=(const LiveBlocks&) = delete;

  size_t size() const { return count_; }

  void prefetch(uint64_t address) const {
    __builtin_prefetch(slots_ + (capacity_ != 0 ? slot_of(address) : 0), 1);
  }

  // The site of the block at an address, when it is where it is looked for first; a guess for
  // prefetching. UINT32_MAX: not there.
  uint32_t likely_site(uint64_t address) const {
    if (capacity_ == 0) return UINT32_MAX;
    const LiveBlock& block = slots_[slot_of(address)];
    return block.address == address ? block.site : UINT32_MAX;
  }

  // The slot for a new block. One with this address that is still there is what the slot then holds
  // (address not 0); the caller overwrites all of it either way.
  LiveBlock& insert(uint64_t address) {
    if (__builtin_expect((count_ + 1) * 8 > capacity_ * 5, 0)) grow();
    size_t slot = slot_of(address);
    while (slots_[slot].address != 0) {
      if (slots_[slot].address == address) return slots_[slot];
      slot = (slot + 1) & mask_;
    }
    ++count_;
    return slots_[slot];
  }

  // nullptr: not there. Valid until the next insert() or erase().
  LiveBlock* find(uint64_t address) {
    if (__builtin_expect(count_ == 0, 0)) return nullptr;
    for (size_t slot = slot_of(address); slots_[slot].address != 0; slot = (slot + 1) & mask_) {
      if (slots_[slot].address == address) return &slots_[slot];
    }
    return nullptr;
  }

  // Blocks behind it that probed past its slot move up, so no gap is left on anyone's way.
  void erase(LiveBlock* block) {
    size_t gap = static_cast<size_t>(block - slots_);
    for (size_t slot = (gap + 1) & mask_; slots_[slot].address != 0; slot = (slot + 1) & mask_) {
      const size_t home = slot_of(slots_[slot].address);
      if (((slot - home) & mask_) >= ((slot - gap) & mask_)) {
        slots_[gap] = slots_[slot];
        if (keeps_births_) births_[gap] = births_[slot];
        gap = slot;
      }
    }
    slots_[gap].address = 0;
    --count_;
  }

  // Gives all memory back.
  void clear();

  // ---- Range births, kept beside the blocks for those who want them. Call before the first
  // insert.
  void keep_range_births() { keeps_births_ = true; }
  // Of a block that is in the table.
  uint32_t& range_birth(const LiveBlock& block) { return births_[&block - slots_]; }

  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (size_t i = 0; i < capacity_; ++i) {
      if (slots_[i].address != 0) visit(slots_[i]);
    }
  }

 private:
  size_t slot_of(uint64_t address) const {
    return static_cast<size_t>((address >> 4 ^ address << 60) * 0x9E3779B97F4A7C15ull >> shift_);
  }
  void grow();

  LiveBlock* slots_ = nullptr;
  bool keeps_births_ = false;
  std::vector<uint32_t> births_;  // as slots_
  size_t capacity_ = 0;           // a power of two, or 0
  size_t mask_ = 0;
  size_t count_ = 0;
  unsigned shift_ = 63;
};

}  // namespace memlens::reader

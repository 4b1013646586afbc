// The blocks alive in one process, by address.
//
// A free wants one block among millions, anywhere in memory, and nearly every event is an insertion
// or a removal. What costs is not only the cache miss, which is asked for some events ahead
// (prefetch), but branches that go the other way each time: with linear probing a free took 30 ns
// on a table that fits the second cache, most of it mispredicted ends of its two loops (find, and
// closing the gap). Here blocks are in buckets of two cache lines, five blocks each, with a header
// that holds a byte of each block's hash. Comparing all five at once leads to the block without a
// loop, and a removal is one byte set to zero. A bucket that is full passes blocks on to the next
// one and counts them, so that a search knows whether to go on; nothing is left behind by removals.
//
// The table doubles within its own mapping (a bucket's blocks stay, or move to one new bucket), so
// growing never holds two tables and touches no page twice. Memory is proportional to the blocks
// alive at once. The hash is salted: a capture cannot be made to put its blocks in one bucket.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace memlens::reader {

struct LiveBlock {
  uint64_t address;
  uint64_t size_bytes : 56;
  uint64_t generation : 7;  // how many shutdowns had begun when it was allocated
  uint64_t counted : 1;     // allocated within the range of the query
  uint32_t site;
  uint32_t birth;  // its thread's count of allocations when it was allocated, this one included
};
static_assert(sizeof(LiveBlock) == 24);

class LiveBlocks {
 public:
  LiveBlocks();
  ~LiveBlocks();
  LiveBlocks(const LiveBlocks&) = delete;
  LiveBlocks& operator=(const LiveBlocks&) = delete;

  size_t size() const { return count_; }
  size_t table_bytes() const { return buckets_ != nullptr ? (mask_ + 1) * sizeof(Bucket) : 0; }

  // Always inlined: gcc takes a function that only prefetches for one without effect, and drops it.
  [[gnu::always_inline]] void prefetch(uint64_t address) const {
    const char* bucket = reinterpret_cast<const char*>(buckets_ + (hash_of(address) & mask_));
    __builtin_prefetch(bucket, 1);
    __builtin_prefetch(bucket + kLineBytes, 1);
    if (keeps_births_) __builtin_prefetch(births_.data() + (hash_of(address) & mask_) * kBlocks, 1);
  }

  // The site of the block at an address, when it is where it is looked for first; a guess for
  // prefetching. UINT32_MAX: not there.
  uint32_t likely_site(uint64_t address) const {
    if (buckets_ == nullptr) return UINT32_MAX;
    const uint64_t hash = hash_of(address);
    const Bucket& bucket = buckets_[hash & mask_];
    const uint64_t found = matches(bucket.header, tag_of(hash));
    return found != 0 ? bucket.blocks[first_of(found)].site : UINT32_MAX;
  }

  // Where a block is to be. `replaced`: one with this address is still there, and the block is its.
  // The caller overwrites all of it.
  struct Inserted {
    LiveBlock* block;
    bool replaced;
  };
  Inserted insert(uint64_t address) {
    if (__builtin_expect(count_ >= limit_, 0)) grow();
    const uint64_t hash = hash_of(address);
    Bucket& bucket = buckets_[hash & mask_];
    const uint64_t header = bucket.header;
    const uint64_t found = matches(header, tag_of(hash));
    const uint64_t empty = matches(header, 0);
    if (__builtin_expect(found != 0 || empty == 0 || passed_on(header) != 0, 0))
      return insert_slowly(address, hash);
    ++count_;
    return {&occupy(bucket, first_of(empty), tag_of(hash)), false};
  }

  // nullptr: not there. Valid until the next insert() or erase().
  LiveBlock* find(uint64_t address) {
    if (__builtin_expect(count_ == 0, 0)) return nullptr;
    const uint64_t hash = hash_of(address);
    Bucket& bucket = buckets_[hash & mask_];
    const uint64_t found = matches(bucket.header, tag_of(hash));
    if (__builtin_expect(found != 0, 1)) {
      LiveBlock& block = bucket.blocks[first_of(found)];
      if (__builtin_expect(block.address == address, 1)) return &block;
    }
    if (found == 0 && passed_on(bucket.header) == 0) return nullptr;
    return find_slowly(address, hash);
  }

  void erase(const LiveBlock* block) {
    const size_t index = bucket_of(block);
    Bucket& bucket = buckets_[index];
    bucket.header &= ~(uint64_t{0xff} << 8 * (block - bucket.blocks));
    --count_;
    const size_t home = hash_of(block->address) & mask_;
    if (__builtin_expect(home != index, 0)) take_back(home, index);
  }

  // Gives all memory back.
  void clear();

  // ---- Range births, kept beside the blocks for those who want them. Call before the first
  // insert.
  void keep_range_births() { keeps_births_ = true; }
  // Of a block that is in the table.
  uint32_t& range_birth(const LiveBlock& block) { return births_[index_of(block)]; }

  template <typename Visit>
  void for_each(Visit&& visit) const {
    if (buckets_ == nullptr) return;
    for (size_t i = 0; i <= mask_; ++i) {
      for (unsigned slot = 0; slot < kBlocks; ++slot) {
        if (is_occupied(buckets_[i], slot)) visit(buckets_[i].blocks[slot]);
      }
    }
  }

 private:
  static constexpr unsigned kBlocks = 5;
  static constexpr size_t kLineBytes = 64;

  // The header, from its lowest byte on: five tags (0: no block), nothing, and in 16 bits how many
  // blocks that belong here or before were passed on to the next bucket. Stays at its highest once
  // it is there.
  struct alignas(2 * kLineBytes) Bucket {
    uint64_t header;
    LiveBlock blocks[kBlocks];
  };
  static_assert(sizeof(Bucket) == 2 * kLineBytes);
  static constexpr unsigned kPassedOnShift = 48;
  static constexpr uint64_t kMaxPassedOn = 0xffff;

  static uint64_t passed_on(uint64_t header) { return header >> kPassedOnShift; }

  // The high bit of each byte of a header's tags that equals `tag`. Above one that does may be one
  // that differs in its lowest bit; the first is right.
  static uint64_t matches(uint64_t header, uint64_t tag) {
    constexpr uint64_t kOnes = 0x0101010101;
    const uint64_t differences = header ^ tag * kOnes;
    return (differences - kOnes) & ~differences & kOnes << 7;
  }
  static unsigned first_of(uint64_t found) {
    return static_cast<unsigned>(std::countr_zero(found)) / 8;
  }
  static bool is_occupied(const Bucket& bucket, unsigned slot) {
    return (bucket.header >> 8 * slot & 0xff) != 0;
  }

  // Its lowest bits name the bucket: those that were the product's highest and depend on all of the
  // address. The tag is of others.
  uint64_t hash_of(uint64_t address) const {
    return __builtin_bswap64(std::rotr(address, 4) * salt_);
  }
  static uint64_t tag_of(uint64_t hash) { return (hash >> 40 & 0x7f) | 0x80; }

  size_t bucket_of(const LiveBlock* block) const {
    return static_cast<size_t>(reinterpret_cast<const char*>(block) -
                               reinterpret_cast<const char*>(buckets_)) /
           sizeof(Bucket);
  }
  size_t index_of(const LiveBlock& block) const {
    const size_t index = bucket_of(&block);
    return index * kBlocks + static_cast<size_t>(&block - buckets_[index].blocks);
  }
  static LiveBlock& occupy(Bucket& bucket, unsigned slot, uint64_t tag) {
    bucket.header |= tag << 8 * slot;
    return bucket.blocks[slot];
  }

  Inserted insert_slowly(uint64_t address, uint64_t hash);
  LiveBlock& place(uint64_t hash);
  LiveBlock* find_slowly(uint64_t address, uint64_t hash);
  void take_back(size_t home, size_t index);
  void grow();
  void split(size_t old_buckets);

  const uint64_t salt_;
  Bucket* buckets_ = nullptr;
  size_t mask_ = 0;  // number of buckets, a power of two, less one
  size_t count_ = 0;
  size_t limit_ = 0;  // it grows when there are so many
  bool keeps_births_ = false;
  std::vector<uint32_t> births_;  // by index_of()
};

}  // namespace memlens::reader

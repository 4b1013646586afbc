#include "reader/analysis/live_blocks.h"

#include <sys/mman.h>
#include <sys/random.h>

#include <new>

namespace memlens::reader {

namespace {

constexpr size_t kFirstBuckets = 128;
constexpr size_t kHugePageBytes = 2 << 20;

// Odd. Without random numbers the hash is as good, but known.
uint64_t draw_multiplier() {
  uint64_t random = 0;
  if (::getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) random = 0;
  // Its higher bits: a multiplier with few ones there spreads badly.
  return (0x9E3779B97F4A7C15ull ^ random >> 16) | 1;
}

// Zeroed pages, huge ones for a table where every look-up would miss the TLB otherwise.
void* map_pages(void* old_pages, size_t old_bytes, size_t new_bytes) {
  void* pages = old_pages == nullptr
                    ? ::mmap(nullptr, new_bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                    : ::mremap(old_pages, old_bytes, new_bytes, MREMAP_MAYMOVE);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  if (new_bytes >= kHugePageBytes) ::madvise(pages, new_bytes, MADV_HUGEPAGE);
  return pages;
}

}  // namespace

LiveBlocks::~LiveBlocks() { clear(); }

void LiveBlocks::clear() {
  if (buckets_ != nullptr) ::munmap(buckets_, (mask_ + 1) * sizeof(Bucket));
  buckets_ = nullptr;
  mask_ = count_ = limit_ = 0;
  births_ = {};
}

LiveBlocks::Inserted LiveBlocks::insert_slowly(uint64_t address, uint64_t hash) {
  if (LiveBlock* block = find_slowly(address, hash)) return {block, true};
  ++count_;
  return {&place(hash), false};
}

LiveBlock& LiveBlocks::place(uint64_t hash) {
  for (size_t index = hash & mask_;; index = (index + 1) & mask_) {
    Bucket& bucket = buckets_[index];
    if (const uint64_t empty = matches(bucket.header, 0))
      return occupy(bucket, first_of(empty), tag_of(hash));
    if (passed_on(bucket.header) < kMaxPassedOn) bucket.header += uint64_t{1} << kPassedOnShift;
  }
}

LiveBlock* LiveBlocks::find_slowly(uint64_t address, uint64_t hash) {
  for (size_t index = hash & mask_;; index = (index + 1) & mask_) {
    Bucket& bucket = buckets_[index];
    for (unsigned slot = 0; slot < kBlocks; ++slot) {
      if (is_occupied(bucket, slot) && bucket.blocks[slot].address == address)
        return &bucket.blocks[slot];
    }
    if (passed_on(bucket.header) == 0) return nullptr;
  }
}

// A block that belongs to bucket `home` is gone from bucket `index`.
void LiveBlocks::take_back(size_t home, size_t index) {
  for (; home != index; home = (home + 1) & mask_) {
    Bucket& bucket = buckets_[home];
    if (passed_on(bucket.header) < kMaxPassedOn) bucket.header -= uint64_t{1} << kPassedOnShift;
  }
}

void LiveBlocks::grow() {
  if (multiplier_ == 0) multiplier_ = draw_multiplier();
  const size_t old_buckets = buckets_ != nullptr ? mask_ + 1 : 0;
  const size_t new_buckets = old_buckets == 0 ? kFirstBuckets : 2 * old_buckets;
  if (keeps_births_) births_.resize(new_buckets * kBlocks);
  buckets_ = static_cast<Bucket*>(
      map_pages(buckets_, old_buckets * sizeof(Bucket), new_buckets * sizeof(Bucket)));
  mask_ = new_buckets - 1;
  limit_ = new_buckets * kBlocks * 7 / 10;
  split(old_buckets);
}

// The second half of the buckets is new: a block moves from bucket n to bucket n + old_buckets, or
// stays. Those that were passed on are taken out first, and come to where they belong after.
void LiveBlocks::split(size_t old_buckets) {
  struct Displaced {
    LiveBlock block;
    uint32_t birth;
  };
  std::vector<Displaced> displaced;
  const auto birth_of = [&](const LiveBlock& block) -> uint32_t {
    return keeps_births_ ? births_[index_of(block)] : 0;
  };
  const auto put = [&](LiveBlock& place, const LiveBlock& block, uint32_t birth) {
    place = block;
    if (keeps_births_) births_[index_of(place)] = birth;
  };
  for (size_t index = 0; index < old_buckets; ++index) {
    Bucket& bucket = buckets_[index];
    bucket.header &= (uint64_t{1} << kPassedOnShift) - 1;
    for (unsigned slot = 0; slot < kBlocks; ++slot) {
      if (!is_occupied(bucket, slot)) continue;
      const LiveBlock& block = bucket.blocks[slot];
      const uint64_t hash = hash_of(block.address);
      if ((hash & mask_) == index) continue;
      if ((hash & (old_buckets - 1)) == index) {
        put(place(hash), block, birth_of(block));
      } else {
        displaced.push_back({block, birth_of(block)});
      }
      bucket.header &= ~(uint64_t{0xff} << 8 * slot);
    }
  }
  for (const Displaced& each : displaced) {
    put(place(hash_of(each.block.address)), each.block, each.birth);
  }
}

}  // namespace memlens::reader

#include "reader/analysis/live_blocks.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "reader/events/hash_salt.h"

namespace memlens::reader {

namespace {

constexpr size_t kFirstBuckets = 4;
// Smaller tables are of the heap: a mapping for each of thousands of short processes is too many.
constexpr size_t kMappedBytes = 64 << 10;
constexpr size_t kHugePageBytes = 2 << 20;

// A range of addresses that begins where a huge page may.
void* reserve_aligned(size_t size_bytes) {
  const size_t reserved_bytes = size_bytes + kHugePageBytes;
  void* const reserved = ::mmap(nullptr, reserved_bytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) throw std::bad_alloc();
  char* const begin = static_cast<char*>(reserved);
  const size_t before_bytes = -reinterpret_cast<uintptr_t>(begin) % kHugePageBytes;
  if (before_bytes > 0) ::munmap(begin, before_bytes);
  ::munmap(begin + before_bytes + size_bytes, kHugePageBytes - before_bytes);
  return begin + before_bytes;
}

// Zeroed pages behind those there were, huge ones for a table where every look-up would miss the
// TLB otherwise. Moved to anywhere but a multiple of their size, huge pages would fall to pieces.
void* grow_pages(void* old_pages, size_t old_bytes, size_t new_bytes) {
  void* pages = nullptr;
  if (new_bytes < kHugePageBytes) {
    pages = ::mremap(old_pages, old_bytes, new_bytes, MREMAP_MAYMOVE);
  } else {
    pages = ::mremap(old_pages, old_bytes, new_bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
                     reserve_aligned(new_bytes));
    if (pages != MAP_FAILED) ::madvise(pages, new_bytes, MADV_HUGEPAGE);
  }
  if (pages == MAP_FAILED) throw std::bad_alloc();
  return pages;
}

// As large as it was twice over, the second half zero. `old` may be nullptr.
void* grow_table(void* old, size_t old_bytes, size_t new_bytes, size_t alignment) {
  if (old_bytes >= kMappedBytes) return grow_pages(old, old_bytes, new_bytes);
  void* table = nullptr;
  if (new_bytes >= kMappedBytes) {
    table = ::mmap(nullptr, new_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED) throw std::bad_alloc();
  } else {
    table = std::aligned_alloc(alignment, new_bytes);
    if (table == nullptr) throw std::bad_alloc();
    std::memset(static_cast<char*>(table) + old_bytes, 0, new_bytes - old_bytes);
  }
  if (old != nullptr) std::memcpy(table, old, old_bytes);
  std::free(old);
  return table;
}

void free_table(void* table, size_t size_bytes) {
  if (size_bytes < kMappedBytes) {
    std::free(table);
  } else {
    ::munmap(table, size_bytes);
  }
}

}  // namespace

LiveBlocks::LiveBlocks() : salt_(hash_salt()) {}
LiveBlocks::~LiveBlocks() { clear(); }

void LiveBlocks::clear() {
  free_table(buckets_, table_bytes());
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
    for (uint64_t found = matches(bucket.header, tag_of(hash)); found != 0; found &= found - 1) {
      LiveBlock& block = bucket.blocks[first_of(found)];
      if (block.address == address) return &block;
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
  const size_t old_buckets = buckets_ != nullptr ? mask_ + 1 : 0;
  const size_t new_buckets = old_buckets == 0 ? kFirstBuckets : 2 * old_buckets;
  if (keeps_births_) births_.resize(new_buckets * kBlocks);
  buckets_ = static_cast<Bucket*>(grow_table(buckets_, old_buckets * sizeof(Bucket),
                                             new_buckets * sizeof(Bucket), alignof(Bucket)));
  mask_ = new_buckets - 1;
  limit_ = new_buckets * kBlocks * 6 / 10;
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

// The accounts of each site: a stack, as allocated through one function by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "interposer/format/allocation_kind.h"
#include "reader/events/hash_salt.h"

namespace memlens::reader {

// Two cache lines: most events touch the first only.
struct alignas(64) SiteAccount {
  uint64_t live_bytes = 0;
  uint64_t live_blocks = 0;
  uint64_t peak_epoch = 0;  // of peak_bytes and peak_blocks; see accounts.h
  uint64_t allocated_bytes = 0;
  uint64_t allocated_blocks = 0;
  uint64_t freed_bytes = 0;  // of what is in allocated_bytes
  uint64_t freed_blocks = 0;
  uint32_t stream = 0;

  alignas(64) uint64_t peak_bytes = 0;
  uint64_t peak_blocks = 0;
  uint64_t temporary_bytes = 0;
  uint64_t temporary_blocks = 0;
  uint32_t node = 0;
  format::AllocationKind kind = format::AllocationKind::kMalloc;
};
static_assert(sizeof(SiteAccount) == 128);

class SiteTable {
 public:
  SiteTable() : buckets_(kFirstBuckets) {}

  // The number of the site, which is new when it was not there.
  uint32_t find_or_add(uint32_t stream, uint32_t node, format::AllocationKind kind) {
    const uint64_t hash = hash_of(stream, node, kind);
    const auto tag = static_cast<uint32_t>(hash);
    for (size_t slot = hash >> shift_;; slot = (slot + 1) & (buckets_.size() - 1)) {
      const Bucket& bucket = buckets_[slot];
      if (bucket.site_plus_1 == 0) return add(slot, tag, stream, node, kind);
      if (bucket.tag != tag) continue;
      const SiteAccount& site = sites_[bucket.site_plus_1 - 1];
      if (site.stream == stream && site.node == node && site.kind == kind)
        return bucket.site_plus_1 - 1;
    }
  }

  // Always inlined: gcc takes a function that only prefetches for one without effect and drops it.
  [[gnu::always_inline]] void prefetch(uint32_t site) const {
    if (site < sites_.size()) __builtin_prefetch(&sites_[site], 1);
  }
  // Ahead of a find_or_add(): first the bucket, then the account it names.
  [[gnu::always_inline]] void prefetch_bucket(uint32_t stream, uint32_t node,
                                              format::AllocationKind kind) const {
    __builtin_prefetch(&buckets_[hash_of(stream, node, kind) >> shift_]);
  }
  [[gnu::always_inline]] void prefetch_likely(uint32_t stream, uint32_t node,
                                              format::AllocationKind kind) const {
    const Bucket& bucket = buckets_[hash_of(stream, node, kind) >> shift_];
    if (bucket.site_plus_1 == 0) return;
    __builtin_prefetch(&sites_[bucket.site_plus_1 - 1], 1);
    __builtin_prefetch(&sites_[bucket.site_plus_1 - 1].peak_bytes);  // its node and kind are there
  }

  size_t size() const { return sites_.size(); }
  SiteAccount& operator[](uint32_t site) { return sites_[site]; }
  const SiteAccount& operator[](uint32_t site) const { return sites_[site]; }

 private:
  static constexpr size_t kFirstBuckets = 1024;

  struct Bucket {
    uint32_t site_plus_1 = 0;  // 0: empty
    uint32_t tag = 0;
  };

  uint64_t hash_of(uint32_t stream, uint32_t node, format::AllocationKind kind) const {
    uint64_t hash = (uint64_t{stream} << 32 | node) * salt_;
    hash ^= hash >> 32 ^ static_cast<uint64_t>(kind) << 56;
    return hash * 0xC2B2AE3D27D4EB4Full;
  }

  uint32_t add(size_t slot, uint32_t tag, uint32_t stream, uint32_t node,
               format::AllocationKind kind);

  const uint64_t salt_ = hash_salt();
  std::vector<SiteAccount> sites_;
  std::vector<Bucket> buckets_;
  unsigned shift_ = 54;  // 64 - log2(number of buckets)
};

}  // namespace memlens::reader

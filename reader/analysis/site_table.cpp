#include "reader/analysis/site_table.h"

namespace memlens::reader {

uint32_t SiteTable::add(size_t slot, uint32_t tag, uint32_t stream, uint32_t node,
                        format::AllocationKind kind) {
  const auto number = static_cast<uint32_t>(sites_.size());
  SiteAccount& site = sites_.emplace_back();
  site.stream = stream;
  site.node = node;
  site.kind = kind;
  buckets_[slot] = {number + 1, tag};
  if (sites_.size() * 2 > buckets_.size()) {
    buckets_.assign(buckets_.size() * 2, Bucket());
    --shift_;
    for (uint32_t i = 0; i < sites_.size(); ++i) {
      const uint64_t hash = hash_of(sites_[i].stream, sites_[i].node, sites_[i].kind);
      size_t free_slot = hash >> shift_;
      while (buckets_[free_slot].site_plus_1 != 0)
        free_slot = (free_slot + 1) & (buckets_.size() - 1);
      buckets_[free_slot] = {i + 1, static_cast<uint32_t>(hash)};
    }
  }
  return number;
}

}  // namespace memlens::reader

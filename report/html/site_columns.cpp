#include "report/html/site_columns.h"

#include <algorithm>
#include <tuple>

namespace memlens::report::html {
namespace {

using reader::RangeCell;
using reader::RangeTally;

// "temporary.share": of the blocks a site allocated in one bucket, how many were temporary. Bytes
// are listed where they do not follow from the average size of all.
constexpr uint64_t kNoneTemporary = 0;
constexpr uint64_t kAllTemporary = 1;
constexpr uint64_t kSomeOfOneSize = 2;
constexpr uint64_t kSomeTemporary = 3;

class SiteColumns {
 public:
  void add(const PageSite& site, uint32_t position) {
    node_.add(position - last_position_);
    last_position_ = position;
    lane_.add(site.lane);
    kind_.add(static_cast<unsigned>(site.kind));
    add_cells(site.range);
    add_temporary(site.range);
    add_sizes(site.range);
  }

  void move_to(std::vector<Column>& columns) {
    for (Column* column : {&node_, &lane_, &kind_, &cell_count_, &size_count_, &allocated_,
                           &removed_, &bytes_, &blocks_, &any_temporary_, &temporary_share_,
                           &temporary_bytes_, &temporary_blocks_, &size_class_, &size_blocks_}) {
      columns.push_back(std::move(*column));
    }
  }

 private:
  void add_cells(const reader::RangeSite& range) {
    cell_count_.add(range.cells.size());
    unsigned last_allocated = 0;
    for (const RangeCell& cell : range.cells) {
      allocated_.add(cell.allocated - last_allocated);
      last_allocated = cell.allocated;
      removed_.add(cell.removed == RangeCell::kNever
                       ? 0
                       : 1 + 2 * (cell.removed - cell.allocated) + (cell.unfreed ? 1 : 0));
      bytes_.add(cell.tally.bytes);
      blocks_.add(cell.tally.blocks);
    }
  }

  // One entry for each bucket that has blocks in the cells, if any block was temporary at all.
  void add_temporary(const reader::RangeSite& range) {
    any_temporary_.add(range.temporary.empty() ? 0 : 1);
    if (range.temporary.empty()) return;
    auto temporary = range.temporary.begin();
    for (size_t i = 0; i < range.cells.size();) {
      if (range.cells[i].allocated == 0) {
        ++i;
        continue;
      }
      const unsigned bucket = (range.cells[i].allocated - 1u) / 2;
      RangeTally all;
      for (; i < range.cells.size() && (range.cells[i].allocated - 1u) / 2 == bucket; ++i) {
        all.bytes += range.cells[i].tally.bytes;
        all.blocks += range.cells[i].tally.blocks;
      }
      if (temporary == range.temporary.end() || temporary->bucket != bucket) {
        temporary_share_.add(kNoneTemporary);
      } else {
        add_share((temporary++)->tally, all);
      }
    }
  }

  void add_share(const RangeTally& part, const RangeTally& all) {
    if (part.bytes == all.bytes && part.blocks == all.blocks) {
      temporary_share_.add(kAllTemporary);
      return;
    }
    const bool one_size = all.blocks > 0 && all.bytes % all.blocks == 0 &&
                          part.bytes == all.bytes / all.blocks * part.blocks;
    temporary_share_.add(one_size ? kSomeOfOneSize : kSomeTemporary);
    temporary_blocks_.add(part.blocks);
    if (!one_size) temporary_bytes_.add(part.bytes);
  }

  // The last class's blocks are what the cells leave, so the usual single class costs nothing.
  void add_sizes(const reader::RangeSite& range) {
    size_count_.add(range.sizes.size());
    unsigned last_class = 0;
    for (size_t i = 0; i < range.sizes.size(); ++i) {
      size_class_.add(range.sizes[i].size_class - last_class);
      last_class = range.sizes[i].size_class;
      if (i + 1 < range.sizes.size()) size_blocks_.add(range.sizes[i].blocks);
    }
  }

  uint32_t last_position_ = 0;
  Column node_{"site.node"}, lane_{"site.lane"}, kind_{"site.kind"}, cell_count_{"site.cells"},
      any_temporary_{"site.temporary"}, size_count_{"site.sizes"}, allocated_{"cell.allocated"},
      removed_{"cell.removed"}, bytes_{"cell.bytes"}, blocks_{"cell.blocks"},
      temporary_share_{"temporary.share"}, temporary_bytes_{"temporary.bytes"},
      temporary_blocks_{"temporary.blocks"}, size_class_{"size.class"}, size_blocks_{"size.blocks"};
};

}  // namespace

void add_site_columns(const std::vector<PageSite>& sites, const std::vector<uint32_t>& position,
                      std::vector<Column>& columns) {
  std::vector<const PageSite*> in_order;
  in_order.reserve(sites.size());
  for (const PageSite& site : sites) in_order.push_back(&site);
  std::ranges::sort(in_order, {}, [&](const PageSite* site) {
    return std::tuple(position[site->node], site->lane, site->kind);
  });
  SiteColumns all;
  for (const PageSite* site : in_order) all.add(*site, position[site->node]);
  all.move_to(columns);
}

}  // namespace memlens::report::html

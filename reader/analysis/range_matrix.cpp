#include "reader/analysis/range_matrix.h"

#include <algorithm>
#include <tuple>

namespace memlens::reader {
namespace {

auto key_of(const RangeCell& cell) {
  return std::tuple(cell.allocated, cell.removed, cell.unfreed);
}

auto key_of(const RangeTemporary& temporary) { return temporary.bucket; }

// Sorts what has a tally, and adds up what has the same key.
template <typename Part>
void merge_equal_parts(std::vector<Part>& parts) {
  std::ranges::sort(parts, {}, [](const Part& part) { return key_of(part); });
  size_t kept = 0;
  for (const Part& part : parts) {
    if (kept > 0 && key_of(parts[kept - 1]) == key_of(part)) {
      parts[kept - 1].tally.bytes += part.tally.bytes;
      parts[kept - 1].tally.blocks += part.tally.blocks;
    } else {
      parts[kept++] = part;
    }
  }
  parts.resize(kept);
}

void add_size(std::vector<SizeCount>& sizes, const SizeCount& size) {
  const auto found = std::ranges::lower_bound(sizes, size.size_class, {}, &SizeCount::size_class);
  if (found != sizes.end() && found->size_class == size.size_class) {
    found->blocks += size.blocks;
  } else {
    sizes.insert(found, size);
  }
}

}  // namespace

uint16_t coarser_cell(uint16_t cell, const std::vector<bool>& second_is_higher) {
  if (cell == 0 || cell == RangeCell::kNever) return cell;
  const unsigned pair = (cell - 1u) / 4;
  const unsigned quarter = (cell - 1u) % 4;  // before, after, before, after a high
  const bool after = quarter >= (second_is_higher[pair] ? 3u : 1u);
  return static_cast<uint16_t>(2 * pair + (after ? 2 : 1));
}

void merge_equal(RangeSite& site) {
  merge_equal_parts(site.cells);
  merge_equal_parts(site.temporary);
}

void append(RangeSite& into, const RangeSite& from) {
  into.cells.insert(into.cells.end(), from.cells.begin(), from.cells.end());
  into.temporary.insert(into.temporary.end(), from.temporary.begin(), from.temporary.end());
  for (const SizeCount& size : from.sizes) add_size(into.sizes, size);
}

void halve_buckets(RangeSite& site, const std::vector<bool>& second_is_higher) {
  for (RangeCell& cell : site.cells) {
    cell.allocated = coarser_cell(cell.allocated, second_is_higher);
    cell.removed = coarser_cell(cell.removed, second_is_higher);
  }
  for (RangeTemporary& temporary : site.temporary) temporary.bucket /= 2;
  merge_equal(site);
}

}  // namespace memlens::reader

#include "reader/analysis/range_matrix.h"

#include <algorithm>
#include <tuple>

namespace memlens::reader {
namespace {

auto key_of(const RangeCell& cell) {
  return std::tuple(cell.allocated, cell.removed, cell.unfreed);
}

}  // namespace

uint16_t coarser_cell(uint16_t cell, const std::vector<bool>& second_is_higher) {
  if (cell == 0 || cell == RangeCell::kNever) return cell;
  const unsigned pair = (cell - 1u) / 4;
  const unsigned quarter = (cell - 1u) % 4;  // before, after, before, after a high
  const bool after = quarter >= (second_is_higher[pair] ? 3u : 1u);
  return static_cast<uint16_t>(2 * pair + (after ? 2 : 1));
}

void merge_equal_cells(std::vector<RangeCell>& cells) {
  std::sort(cells.begin(), cells.end(),
            [](const RangeCell& a, const RangeCell& b) { return key_of(a) < key_of(b); });
  size_t kept = 0;
  for (const RangeCell& cell : cells) {
    if (kept > 0 && key_of(cells[kept - 1]) == key_of(cell)) {
      cells[kept - 1].tally.bytes += cell.tally.bytes;
      cells[kept - 1].tally.blocks += cell.tally.blocks;
    } else {
      cells[kept++] = cell;
    }
  }
  cells.resize(kept);
}

}  // namespace memlens::reader

#include "report/html/node_importance.h"

#include <algorithm>

namespace memlens::report::html {
namespace {

using reader::RangeCell;

void add_to_view(Measures& measures, size_t view, const reader::RangeTally& tally) {
  measures[2 * view] += static_cast<double>(tally.bytes);
  measures[2 * view + 1] += static_cast<double>(tally.blocks);
}

}  // namespace

uint16_t peak_boundary(const PageModel& page) {
  const auto highest = std::ranges::max_element(page.buckets, {}, &reader::RangeBucket::high_bytes);
  return static_cast<uint16_t>(2 * (highest - page.buckets.begin()) + 2);
}

Measures measure_site(const PageSite& site, uint16_t peak_boundary) {
  Measures own{};
  for (const reader::RangeTemporary& temporary : site.range.temporary) {
    add_to_view(own, 2, temporary.tally);
  }
  for (const RangeCell& cell : site.range.cells) {
    if (cell.allocated < peak_boundary && peak_boundary <= cell.removed) {
      add_to_view(own, 0, cell.tally);
    }
    if (cell.allocated == 0) continue;
    add_to_view(own, 3, cell.tally);
    if (cell.removed == RangeCell::kNever || cell.unfreed) add_to_view(own, 1, cell.tally);
  }
  return own;
}

std::vector<Measures> totals_of_nodes(const PageModel& page) {
  const uint16_t boundary = peak_boundary(page);
  std::vector<Measures> totals(page.nodes.size(), Measures{});
  for (const PageSite& site : page.sites) add(totals[site.node], measure_site(site, boundary));
  for (size_t node = page.nodes.size(); node-- > 1;) {
    add(totals[page.nodes[node].parent], totals[node]);
  }
  return totals;
}

void add(Measures& sum, const Measures& part) {
  for (size_t i = 0; i < kMeasures; ++i) sum[i] += part[i];
}

double importance(const Measures& part, const Measures& whole) {
  double largest = 0;
  for (size_t i = 0; i < kMeasures; ++i) {
    if (whole[i] > 0) largest = std::max(largest, part[i] / whole[i]);
  }
  return largest;
}

}  // namespace memlens::report::html

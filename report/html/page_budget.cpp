#include "report/html/page_budget.h"

#include <algorithm>

namespace memlens::report::html {
namespace {

// Fewer would tell too little of when.
constexpr size_t kFewestBuckets = 32;
// What a bar may spend on time, on the average.
constexpr double kCellsPerNode = 1.3;
// However busy each is, so many bars fit a page.
constexpr size_t kFewestNodes = 2000;

size_t count_cells(const PageModel& page) {
  size_t cells = 0;
  for (const PageSite& site : page.sites) cells += site.range.cells.size();
  return cells;
}

}  // namespace

void fit_cell_budget(PageModel& page, size_t budget, size_t fewest_buckets) {
  while (page.buckets.size() % 2 == 0 && page.buckets.size() / 2 >= fewest_buckets &&
         count_cells(page) > budget) {
    std::vector<bool> second_is_higher;
    std::vector<reader::RangeBucket> halved;
    for (size_t first = 0; first < page.buckets.size(); first += 2) {
      const bool second = page.buckets[first + 1].high_bytes > page.buckets[first].high_bytes;
      second_is_higher.push_back(second);
      halved.push_back(page.buckets[first + second]);
    }
    page.buckets = std::move(halved);
    for (PageSite& site : page.sites) reader::halve_buckets(site.range, second_is_higher);
  }
}

void fit_budget(PageModel& page, size_t budget) {
  const auto cells = static_cast<size_t>(kCellsPerNode * static_cast<double>(budget));
  fit_node_budget(page, budget);
  fit_cell_budget(page, cells, kFewestBuckets);
  while (page.nodes.size() > kFewestNodes && count_cells(page) > cells) {
    fit_node_budget(page, page.nodes.size() * 9 / 10);
  }
}

}  // namespace memlens::report::html

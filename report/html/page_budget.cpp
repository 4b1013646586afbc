#include "report/html/page_budget.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <tuple>

namespace memlens::report::html {
namespace {

using reader::RangeCell;

// Fewer would tell too little of when.
constexpr size_t kFewestBuckets = 64;
// What a bar may spend on time, on the average.
constexpr double kCellsPerNode = 1.5;
// However busy each is, so many bars fit a page.
constexpr size_t kFewestNodes = 2000;

// Bytes and blocks of: peak, still allocated, temporary, all.
constexpr size_t kMeasures = 8;
using Measures = std::array<double, kMeasures>;

void add(Measures& measures, size_t view, uint64_t bytes, uint64_t blocks) {
  measures[2 * view] += static_cast<double>(bytes);
  measures[2 * view + 1] += static_cast<double>(blocks);
}

uint16_t peak_boundary(const PageModel& page) {
  const auto highest = std::ranges::max_element(page.buckets, {}, &reader::RangeBucket::high_bytes);
  return static_cast<uint16_t>(2 * (highest - page.buckets.begin()) + 2);
}

std::vector<Measures> totals_of_nodes(const PageModel& page) {
  const uint16_t boundary = peak_boundary(page);
  std::vector<Measures> totals(page.nodes.size(), Measures{});
  for (const PageSite& site : page.sites) {
    Measures& own = totals[site.node];
    for (const reader::RangeTemporary& temporary : site.range.temporary) {
      add(own, 2, temporary.tally.bytes, temporary.tally.blocks);
    }
    for (const RangeCell& cell : site.range.cells) {
      const auto [bytes, blocks] = cell.tally;
      if (cell.allocated < boundary && boundary <= cell.removed) add(own, 0, bytes, blocks);
      if (cell.allocated == 0) continue;
      add(own, 3, bytes, blocks);
      if (cell.removed == RangeCell::kNever || cell.unfreed) add(own, 1, bytes, blocks);
    }
  }
  for (size_t node = page.nodes.size(); node-- > 1;) {
    for (size_t i = 0; i < kMeasures; ++i) {
      totals[page.nodes[node].parent][i] += totals[node][i];
    }
  }
  return totals;
}

std::vector<double> importance_of_nodes(const PageModel& page) {
  const std::vector<Measures> totals = totals_of_nodes(page);
  std::vector<double> importance(totals.size());
  for (size_t node = 0; node < totals.size(); ++node) {
    for (size_t i = 0; i < kMeasures; ++i) {
      if (totals[0][i] > 0) {
        importance[node] = std::max(importance[node], totals[node][i] / totals[0][i]);
      }
    }
  }
  return importance;
}

// Sites that are now at the same node, of the same thread and function, become one.
void merge_equal_sites(std::vector<PageSite>& sites) {
  std::map<std::tuple<uint32_t, uint32_t, uint8_t>, size_t> seen;
  size_t kept = 0;
  for (PageSite& site : sites) {
    const auto key = std::tuple(site.node, site.lane, static_cast<uint8_t>(site.kind));
    const auto [found, inserted] = seen.try_emplace(key, kept);
    if (!inserted) {
      reader::append(sites[found->second].range, site.range);
    } else {
      if (&sites[kept] != &site) sites[kept] = std::move(site);
      ++kept;
    }
  }
  sites.resize(kept);
  for (PageSite& site : sites) reader::merge_equal(site.range);
}

// For each node that is not kept, the lowest one above it that is.
std::vector<uint32_t> nearest_kept(const PageModel& page, const std::vector<bool>& kept) {
  std::vector<uint32_t> nearest(page.nodes.size(), 0);
  for (uint32_t node = 0; node < nearest.size(); ++node) {
    const uint32_t parent = page.nodes[node].parent;
    nearest[node] = kept[node] || node == 0 ? node : nearest[parent];
  }
  return nearest;
}

// The frame of merged nodes, made when there is none yet.
uint32_t others_frame_of(PageModel& page) {
  if (page.frames.empty() || page.frames.back().kind != FrameKind::kOthers) {
    PageFrame frame;
    frame.function = page.strings.intern("others");
    frame.kind = FrameKind::kOthers;
    page.frames.push_back(frame);
  }
  return static_cast<uint32_t>(page.frames.size() - 1);
}

size_t count_cells(const PageModel& page) {
  size_t cells = 0;
  for (const PageSite& site : page.sites) cells += site.range.cells.size();
  return cells;
}

}  // namespace

void fit_node_budget(PageModel& page, size_t budget) {
  const size_t count = page.nodes.size();
  if (count <= budget) return;
  const std::vector<double> importance = importance_of_nodes(page);
  // What an earlier call merged is merged again, with what joins it now.
  const auto is_others = [&](uint32_t node) {
    return node != 0 && page.frames[page.nodes[node].frame].kind == FrameKind::kOthers;
  };

  // Each node left out may need one kOthers node in its place, so half the budget is kept as is.
  const size_t keep = std::max<size_t>(1, budget / 2);
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  // Ties go to the lower id, which is the parent: what is kept stays a tree.
  std::nth_element(order.begin(), order.begin() + static_cast<ptrdiff_t>(keep), order.end(),
                   [&](uint32_t a, uint32_t b) {
                     return importance[a] != importance[b] ? importance[a] > importance[b] : a < b;
                   });
  std::vector<bool> kept(count, false);
  for (size_t i = 0; i < keep; ++i) kept[order[i]] = !is_others(order[i]);
  kept[0] = true;

  // Where a node would lose just one, a bar without a name saves nothing.
  const std::vector<uint32_t> kept_above = nearest_kept(page, kept);
  std::vector<uint32_t> lost_below(count, 0);
  for (uint32_t node = 0; node < count; ++node) {
    if (!kept[node]) ++lost_below[kept_above[node]];
  }
  for (uint32_t node = 0; node < count; ++node) {
    if (!kept[node] && lost_below[kept_above[node]] == 1 && !is_others(node)) kept[node] = true;
  }

  const uint32_t others_frame = others_frame_of(page);
  std::vector<PageNode> nodes;
  std::vector<uint32_t> moved(count, 0);      // old node -> new node
  std::vector<uint32_t> others_of(count, 0);  // kept old node -> its kOthers node, 0: none
  for (uint32_t node = 0; node < count; ++node) {
    const PageNode& old = page.nodes[node];
    if (kept[node]) {
      moved[node] = static_cast<uint32_t>(nodes.size());
      nodes.push_back({node == 0 ? 0 : moved[old.parent], old.frame, old.merged});
      continue;
    }
    uint32_t& others = others_of[kept_above[node]];
    if (others == 0) {
      others = static_cast<uint32_t>(nodes.size());
      nodes.push_back({moved[kept_above[node]], others_frame, 0});
    }
    moved[node] = others;
    nodes[others].merged += std::max<uint32_t>(1, old.merged);
  }
  page.nodes = std::move(nodes);
  for (PageSite& site : page.sites) site.node = moved[site.node];
  merge_equal_sites(page.sites);
}

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

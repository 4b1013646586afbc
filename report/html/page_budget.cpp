#include "report/html/page_budget.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <tuple>

namespace memlens::report::html {
namespace {

using reader::RangeCell;

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
    add(own, 2, site.temporary.bytes, site.temporary.blocks);
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

void merge_into(PageSite& into, PageSite&& from) {
  into.temporary.bytes += from.temporary.bytes;
  into.temporary.blocks += from.temporary.blocks;
  into.range.cells.insert(into.range.cells.end(), from.range.cells.begin(), from.range.cells.end());
  merge_sizes(into.range.sizes, from.range.sizes);
}

// Sites that are now at the same node, of the same thread and function, become one.
void merge_equal_sites(std::vector<PageSite>& sites) {
  std::map<std::tuple<uint32_t, uint32_t, uint8_t>, size_t> seen;
  size_t kept = 0;
  for (PageSite& site : sites) {
    const auto key = std::tuple(site.node, site.lane, static_cast<uint8_t>(site.kind));
    const auto [found, inserted] = seen.try_emplace(key, kept);
    if (!inserted) {
      merge_into(sites[found->second], std::move(site));
    } else {
      if (&sites[kept] != &site) sites[kept] = std::move(site);
      ++kept;
    }
  }
  sites.resize(kept);
  for (PageSite& site : sites) reader::merge_equal_cells(site.range.cells);
}

}  // namespace

void merge_sizes(std::vector<reader::SizeCount>& into, const std::vector<reader::SizeCount>& from) {
  for (const reader::SizeCount& size : from) {
    const auto found =
        std::ranges::lower_bound(into, size.size_class, {}, &reader::SizeCount::size_class);
    if (found != into.end() && found->size_class == size.size_class) {
      found->blocks += size.blocks;
    } else {
      into.insert(found, size);
    }
  }
}

void fit_node_budget(PageModel& page, size_t budget) {
  const size_t count = page.nodes.size();
  if (count <= budget) return;
  const std::vector<double> importance = importance_of_nodes(page);

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
  for (size_t i = 0; i < keep; ++i) kept[order[i]] = true;
  kept[0] = true;

  const auto others_frame = static_cast<uint32_t>(page.frames.size());
  bool any_others = false;
  std::vector<PageNode> nodes;
  std::vector<uint32_t> moved(count, 0);          // old node -> new node
  std::vector<uint32_t> others_of(count, 0);      // kept old node -> its kOthers node, 0: none
  std::vector<uint32_t> kept_ancestor(count, 0);  // old node -> old node that is kept
  for (uint32_t node = 0; node < count; ++node) {
    const PageNode& old = page.nodes[node];
    if (kept[node]) {
      kept_ancestor[node] = node;
      moved[node] = static_cast<uint32_t>(nodes.size());
      nodes.push_back({node == 0 ? 0 : moved[old.parent], old.frame, old.merged});
      continue;
    }
    const uint32_t ancestor = kept_ancestor[old.parent];
    kept_ancestor[node] = ancestor;
    if (others_of[ancestor] == 0) {
      others_of[ancestor] = static_cast<uint32_t>(nodes.size());
      nodes.push_back({moved[ancestor], others_frame, 0});
      any_others = true;
    }
    moved[node] = others_of[ancestor];
    nodes[moved[node]].merged += std::max<uint32_t>(1, old.merged);
  }
  if (any_others) {
    PageFrame frame;
    frame.function = page.strings.intern("others");
    frame.kind = FrameKind::kOthers;
    page.frames.push_back(frame);
  }
  page.nodes = std::move(nodes);
  for (PageSite& site : page.sites) site.node = moved[site.node];
  merge_equal_sites(page.sites);
}

void fit_cell_budget(PageModel& page, size_t budget) {
  while (page.buckets.size() % 2 == 0) {
    size_t cells = 0;
    for (const PageSite& site : page.sites) cells += site.range.cells.size();
    if (cells <= budget) return;

    std::vector<bool> second_is_higher;
    std::vector<reader::RangeBucket> halved;
    for (size_t first = 0; first < page.buckets.size(); first += 2) {
      const bool second = page.buckets[first + 1].high_bytes > page.buckets[first].high_bytes;
      second_is_higher.push_back(second);
      halved.push_back(page.buckets[first + second]);
    }
    page.buckets = std::move(halved);
    for (PageSite& site : page.sites) {
      for (RangeCell& cell : site.range.cells) {
        cell.allocated = reader::coarser_cell(cell.allocated, second_is_higher);
        cell.removed = reader::coarser_cell(cell.removed, second_is_higher);
      }
      reader::merge_equal_cells(site.range.cells);
    }
  }
}

}  // namespace memlens::report::html

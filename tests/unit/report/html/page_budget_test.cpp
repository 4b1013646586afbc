#include "report/html/page_budget.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>
#include <string>

using namespace memlens;
using namespace memlens::report::html;
using memlens::reader::RangeCell;

namespace {

// A random tree whose nodes have sites at random; 8 buckets.
PageModel random_page(unsigned seed, size_t nodes) {
  std::mt19937 random(seed);
  const auto pick = [&](unsigned below) { return static_cast<uint32_t>(random() % below); };
  PageModel page;
  for (uint32_t i = 0; i < 30; ++i) {
    PageFrame frame;
    frame.function = page.strings.intern("function" + std::to_string(i / 2));
    frame.line = i;
    page.frames.push_back(frame);
  }
  while (page.nodes.size() < nodes) {
    page.nodes.push_back({pick(static_cast<unsigned>(page.nodes.size())), pick(30), 0});
  }
  for (uint32_t node = 1; node < nodes; ++node) {
    if (pick(3) == 0) continue;
    PageSite site;
    site.node = node;
    site.lane = pick(2);
    for (unsigned i = 0; i <= pick(3); ++i) {
      RangeCell cell;
      cell.allocated = static_cast<uint16_t>(1 + pick(16));
      if (pick(2)) cell.removed = static_cast<uint16_t>(cell.allocated + pick(17 - cell.allocated));
      cell.tally = {1 + pick(1000), 1 + pick(9)};
      site.range.cells.push_back(cell);
    }
    for (const RangeCell& cell : site.range.cells) {
      if (pick(2)) continue;
      const auto bucket = static_cast<uint16_t>((cell.allocated - 1) / 2);
      site.range.temporary.push_back({bucket, {1 + pick(50), 1 + pick(5)}});
    }
    reader::merge_equal(site.range);
    page.sites.push_back(std::move(site));
  }
  page.axis_to_seconds = 8;
  for (unsigned i = 0; i < 8; ++i) page.buckets.push_back({pick(1000), 0.5 + i});
  return page;
}

struct Sums {
  uint64_t bytes = 0, blocks = 0, leaked = 0, temporary = 0;
  bool operator==(const Sums&) const = default;
};

// Below each node, itself included.
std::vector<Sums> sums_of(const PageModel& page) {
  std::vector<Sums> sums(page.nodes.size());
  for (const PageSite& site : page.sites) {
    Sums& own = sums[site.node];
    for (const auto& temporary : site.range.temporary) own.temporary += temporary.tally.bytes;
    for (const RangeCell& cell : site.range.cells) {
      own.bytes += cell.tally.bytes;
      own.blocks += cell.tally.blocks;
      if (cell.removed == RangeCell::kNever) own.leaked += cell.tally.bytes;
    }
  }
  for (size_t node = sums.size(); node-- > 1;) {
    Sums& parent = sums[page.nodes[node].parent];
    parent.bytes += sums[node].bytes;
    parent.blocks += sums[node].blocks;
    parent.leaked += sums[node].leaked;
    parent.temporary += sums[node].temporary;
  }
  return sums;
}

bool is_others(const PageModel& page, size_t node) {
  return page.frames[page.nodes[node].frame].kind == FrameKind::kOthers;
}

// Frames below a merged node are on stacks that it stands for.
size_t nodes_stood_for(const PageModel& page) {
  size_t count = 0;
  for (size_t node = 1; node < page.nodes.size(); ++node) {
    if (is_others(page, node)) {
      count += page.nodes[node].merged;
    } else if (page.nodes[node].parent == 0 || !is_others(page, page.nodes[node].parent)) {
      ++count;
    }
  }
  return count;
}

}  // namespace

TEST_CASE("merging small nodes keeps the sums, and counts what it merged") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    PageModel page = random_page(seed, 2000);
    const Sums before = sums_of(page)[0];
    fit_node_budget(page, 300);
    CHECK(page.nodes.size() <= 300);
    CHECK(sums_of(page)[0] == before);
    for (size_t node = 1; node < page.nodes.size(); ++node) {
      REQUIRE(page.nodes[node].parent < node);
      CHECK(is_others(page, node) == (page.nodes[node].merged > 0));
    }
    CHECK(nodes_stood_for(page) == 1999);
  }
}

TEST_CASE("a page within the budget stays as it is") {
  PageModel page = random_page(1, 100);
  fit_node_budget(page, 100);
  CHECK(page.nodes.size() == 100);
  CHECK(page.frames.size() == 30);
}

TEST_CASE("merging what is merged already adds to the same bars") {
  PageModel page = random_page(4, 2000);
  const Sums before = sums_of(page)[0];
  fit_node_budget(page, 900);
  fit_node_budget(page, 300);
  CHECK(page.nodes.size() <= 300);
  CHECK(sums_of(page)[0] == before);
  std::vector<int> others_below(page.nodes.size(), 0);
  for (size_t node = 1; node < page.nodes.size(); ++node) {
    if (is_others(page, node)) CHECK(++others_below[page.nodes[node].parent] == 1);
  }
  CHECK(nodes_stood_for(page) == 1999);
}

TEST_CASE("who allocates keeps its name where the way there is merged") {
  // Five lines of three functions that allocate, each reached in 300 ways.
  PageModel page = random_page(6, 1);
  for (uint32_t i = 0; i < 1500; ++i) {
    page.nodes.push_back({0, i % 25, 0});
    page.nodes.push_back({static_cast<uint32_t>(page.nodes.size() - 1), 25 + i % 5, 0});
    PageSite site;
    site.node = static_cast<uint32_t>(page.nodes.size() - 1);
    site.range.cells = {{1, RangeCell::kNever, false, {10, 1}}};
    page.sites.push_back(site);
  }
  fit_node_budget(page, 200);
  fit_node_budget(page, 100);
  CHECK(page.nodes.size() <= 100);
  CHECK(std::ranges::count(page.frames, uint32_t{0}, &PageFrame::line) == 4);  // 0, two, others
  std::map<std::string, uint64_t> own;
  std::map<std::string, std::set<uint32_t>> lines;
  for (const PageSite& site : page.sites) {
    const PageFrame& frame = page.frames[page.nodes[site.node].frame];
    const std::string& name = page.strings.strings()[frame.function];
    lines[name].insert(frame.line);
    for (const RangeCell& cell : site.range.cells) own[name] += cell.tally.bytes;
  }
  CHECK(own == std::map<std::string, uint64_t>{
                   {"function12", 3000}, {"function13", 6000}, {"function14", 6000}});
  // A function that is at one line says so; what is at several is of none of them.
  CHECK(lines["function12"] == std::set<uint32_t>{25});
  CHECK(lines["function13"].contains(0));
}

TEST_CASE("no bar without a name stands for one node alone") {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    PageModel page = random_page(seed, 2000);
    fit_node_budget(page, 900);
    for (const PageNode& node : page.nodes) CHECK(node.merged != 1);
  }
}

TEST_CASE("when is worth more than the smallest bars: buckets stay, and bars go") {
  PageModel page = random_page(5, 9000);
  page.buckets.clear();
  for (unsigned i = 0; i < 32; ++i) page.buckets.push_back({i, 0.1 * i});
  const Sums before = sums_of(page)[0];
  size_t cells = 0;
  fit_budget(page, 8000);
  for (const PageSite& site : page.sites) cells += site.range.cells.size();
  CHECK(page.buckets.size() == 32);
  CHECK(page.nodes.size() < 8000);
  CHECK(cells <= 12'000);
  CHECK(sums_of(page)[0] == before);
}

TEST_CASE("the largest node of each view survives") {
  PageModel page = random_page(2, 2000);
  PageSite leak;
  leak.node = 1999;
  leak.range.cells = {{1, RangeCell::kNever, false, {1, 5000}}};  // few bytes, very many blocks
  page.sites.push_back(leak);
  fit_node_budget(page, 100);
  bool found = false;
  for (const PageSite& site : page.sites) {
    for (const RangeCell& cell : site.range.cells) {
      if (cell.tally.blocks < 5000) continue;
      found = page.frames[page.nodes[site.node].frame].kind != FrameKind::kOthers;
    }
  }
  CHECK(found);
}

TEST_CASE("fewer buckets hold the same sums in fewer cells") {
  PageModel page = random_page(3, 2000);
  const Sums before = sums_of(page)[0];
  const uint64_t highest =
      std::ranges::max_element(page.buckets, {}, &reader::RangeBucket::high_bytes)->high_bytes;
  fit_cell_budget(page, 1500, 1);
  CHECK(page.buckets.size() < 8);
  CHECK(sums_of(page)[0] == before);
  CHECK(std::ranges::max_element(page.buckets, {}, &reader::RangeBucket::high_bytes)->high_bytes ==
        highest);
}

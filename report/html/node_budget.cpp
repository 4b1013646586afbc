#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>
#include <unordered_map>

#include "report/html/node_importance.h"
#include "report/html/page_budget.h"

namespace memlens::report::html {
namespace {

// Of the budget, what goes to nodes as they are. Each of them may need a node for what it lost; the
// rest names who allocates in these.
constexpr double kKeptShare = 0.2;

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

class NodeMerger {
 public:
  NodeMerger(PageModel& page, size_t budget) : page_(page), budget_(budget) {}

  void run() {
    find_whole_functions();
    choose_kept();
    choose_leaves();
    rebuild();
    merge_equal_sites(page_.sites);
  }

 private:
  bool is_others(uint32_t node) const {
    return node != 0 && page_.frames[page_.nodes[node].frame].kind == FrameKind::kOthers;
  }
  // Below a node that an earlier call made: merged again, with what joins it now.
  bool was_merged(uint32_t node) const { return is_others(node) || is_others(parent(node)); }
  uint32_t parent(uint32_t node) const { return page_.nodes[node].parent; }

  void choose_kept() {
    const size_t count = page_.nodes.size();
    const std::vector<Measures> totals = totals_of_nodes(page_);
    whole_ = totals[0];
    std::vector<double> worth(count);
    for (uint32_t node = 0; node < count; ++node) {
      worth[node] = was_merged(node) ? 0 : importance(totals[node], whole_);
    }
    std::vector<uint32_t> order(count);
    std::iota(order.begin(), order.end(), 0u);
    const auto keep = std::max<size_t>(1, static_cast<size_t>(kKeptShare * budget_));
    // Ties go to the lower id, which is the parent: what is kept stays a tree.
    std::nth_element(
        order.begin(), order.begin() + static_cast<ptrdiff_t>(keep), order.end(),
        [&](uint32_t a, uint32_t b) { return worth[a] != worth[b] ? worth[a] > worth[b] : a < b; });
    kept_.assign(count, false);
    for (size_t i = 0; i < keep; ++i) kept_[order[i]] = !was_merged(order[i]);
    kept_[0] = true;
    keep_single_losses();
  }

  // Where a node would lose just one, a bar without a name saves nothing.
  void keep_single_losses() {
    find_kept_above();
    std::vector<uint32_t> lost_below(kept_.size(), 0);
    for (uint32_t node = 0; node < kept_.size(); ++node) {
      if (!kept_[node]) ++lost_below[kept_above_[node]];
    }
    for (uint32_t node = 0; node < kept_.size(); ++node) {
      if (!kept_[node] && lost_below[kept_above_[node]] == 1 && !was_merged(node)) {
        kept_[node] = true;
      }
    }
    find_kept_above();
  }

  // For each node that is not kept, the lowest one above it that is.
  void find_kept_above() {
    kept_above_.resize(kept_.size());
    for (uint32_t node = 0; node < kept_.size(); ++node) {
      kept_above_[node] = kept_[node] ? node : kept_above_[parent(node)];
    }
  }

  // Where nodes are merged, the functions at the end of their stacks are what a reader looks for:
  // who allocates. The most important ones stay, right below the merged node.
  struct Leaf {
    Measures sum{};
    uint32_t frame = 0;     // one of the function's
    bool one_frame = true;  // and there is no other
    uint32_t node = 0;      // the new one; 0: not made yet
  };

  using FunctionName = std::tuple<uint32_t, uint32_t, uint32_t>;  // function, file, module
  static FunctionName function_name(const PageFrame& frame) {
    return {frame.function, frame.file, frame.module};
  }

  // The node above that is kept, and the function.
  uint64_t leaf_key(uint32_t node) {
    const PageFrame& frame = page_.frames[page_.nodes[node].frame];
    const auto function =
        function_numbers_.try_emplace(function_name(frame), function_numbers_.size());
    return static_cast<uint64_t>(kept_above_[node]) << 32 | function.first->second;
  }

  void choose_leaves() {
    const uint16_t boundary = peak_boundary(page_);
    for (const PageSite& site : page_.sites) {
      if (kept_[site.node] || is_others(site.node)) continue;
      const uint32_t frame = page_.nodes[site.node].frame;
      const auto [leaf, is_new] = leaves_.try_emplace(leaf_key(site.node));
      if (is_new) leaf->second.frame = frame;
      if (leaf->second.frame != frame) leaf->second.one_frame = false;
      add(leaf->second.sum, measure_site(site, boundary));
    }
    const size_t used = count_kept_and_others();
    const size_t room = budget_ > used ? budget_ - used : 0;
    if (leaves_.size() <= room) return;
    std::vector<std::pair<double, uint64_t>> order;
    order.reserve(leaves_.size());
    for (const auto& [key, leaf] : leaves_) {
      order.emplace_back(-importance(leaf.sum, whole_), key);
    }
    std::ranges::sort(order);
    for (size_t i = room; i < order.size(); ++i) leaves_.erase(order[i].second);
  }

  size_t count_kept_and_others() const {
    std::vector<bool> has_lost(kept_.size(), false);
    for (uint32_t node = 0; node < kept_.size(); ++node) {
      if (!kept_[node]) has_lost[kept_above_[node]] = true;
    }
    return static_cast<size_t>(std::ranges::count(kept_, true) +
                               std::ranges::count(has_lost, true));
  }

  void rebuild() {
    const uint32_t others_frame = others_frame_of();
    const size_t count = page_.nodes.size();
    std::vector<PageNode> nodes;
    std::vector<uint32_t> moved(count, 0);      // old node -> new node
    std::vector<uint32_t> others_of(count, 0);  // kept old node -> its kOthers node, 0: none
    for (uint32_t node = 0; node < count; ++node) {
      const PageNode& old = page_.nodes[node];
      if (kept_[node]) {
        moved[node] = static_cast<uint32_t>(nodes.size());
        nodes.push_back({node == 0 ? 0 : moved[old.parent], old.frame, 0});
        continue;
      }
      uint32_t& others = others_of[kept_above_[node]];
      if (others == 0) {
        others = static_cast<uint32_t>(nodes.size());
        nodes.push_back({moved[kept_above_[node]], others_frame, 0});
      }
      moved[node] = others;
      nodes[others].merged += was_merged(node) ? old.merged : 1;
    }
    for (PageSite& site : page_.sites) {
      const uint32_t old = site.node;
      site.node = moved[old];
      if (kept_[old]) continue;
      if (is_others(old)) continue;
      const auto found = leaves_.find(leaf_key(old));
      if (found == leaves_.end()) continue;
      Leaf& leaf = found->second;
      if (leaf.node == 0) {
        leaf.node = static_cast<uint32_t>(nodes.size());
        nodes.push_back({moved[old], leaf.one_frame ? leaf.frame : whole_function(leaf.frame), 0});
      }
      site.node = leaf.node;
    }
    page_.nodes = std::move(nodes);
  }

  // A function's frame that is of no one line. An earlier call may have made it: a function must
  // not be two.
  void find_whole_functions() {
    for (uint32_t id = 0; id < page_.frames.size(); ++id) {
      const PageFrame& frame = page_.frames[id];
      if (frame.line == 0) whole_functions_.try_emplace(function_name(frame), id);
    }
  }

  uint32_t whole_function(uint32_t frame_id) {
    PageFrame frame = page_.frames[frame_id];
    const auto [found, is_new] = whole_functions_.try_emplace(
        function_name(frame), static_cast<uint32_t>(page_.frames.size()));
    if (is_new) {
      frame.line = frame.source = 0;
      page_.frames.push_back(frame);
    }
    return found->second;
  }

  // The frame of merged nodes, made when there is none yet.
  uint32_t others_frame_of() {
    const auto found = std::ranges::find(page_.frames, FrameKind::kOthers, &PageFrame::kind);
    if (found != page_.frames.end()) return static_cast<uint32_t>(found - page_.frames.begin());
    PageFrame frame;
    frame.function = page_.strings.intern("others");
    frame.kind = FrameKind::kOthers;
    page_.frames.push_back(frame);
    return static_cast<uint32_t>(page_.frames.size() - 1);
  }

  PageModel& page_;
  const size_t budget_;
  Measures whole_{};
  std::vector<bool> kept_;
  std::vector<uint32_t> kept_above_;           // itself, if it is kept
  std::unordered_map<uint64_t, Leaf> leaves_;  // by leaf_key()
  std::map<FunctionName, uint32_t> function_numbers_;
  std::map<FunctionName, uint32_t> whole_functions_;  // -> frame
};

}  // namespace

void fit_node_budget(PageModel& page, size_t budget) {
  if (page.nodes.size() > budget) NodeMerger(page, budget).run();
}

}  // namespace memlens::report::html

#include "report/view/responsible.h"

#include <algorithm>

#include "report/view/native_code.h"
#include "report/view/python_code.h"

namespace memlens::report {
namespace {

// A stack read from its outermost frame inwards.
struct Search {
  enum class Part : uint8_t { kBeforePython, kInSite, kSiteSaid, kInProgram };

  FrameTree::NodeId best = FrameTree::kRoot;
  int8_t rank = 127;
  Part part = Part::kBeforePython;

  // The next frame inwards. `frame_rank`: see search_rank().
  void add(FrameTree::NodeId node, const reader::Frame& frame, int frame_rank) {
    if (part == Part::kSiteSaid) return;
    const bool is_python =
        frame.origin == reader::FrameOrigin::kPython && !is_import_machinery(frame);
    const bool is_site = is_python && part <= Part::kInSite && is_site_startup(frame);
    if (is_site) {
      part = Part::kInSite;
      best = node;
      rank = CodeOrigins::kBestRank;
      return;
    }
    if (part == Part::kInSite) {
      if (is_python) part = Part::kSiteSaid;
      return;
    }
    if (is_python) part = Part::kInProgram;
    if (frame_rank > rank) return;
    best = node;
    rank = static_cast<int8_t>(frame_rank < 0 ? ~frame_rank : frame_rank);
  }
};

// Negative, and so before all that is further out: the complement of an event loop's.
int search_rank(const reader::Frame& frame, const CodeOrigins& origins) {
  const int rank = origins.rank_of(frame);
  return is_event_loop(frame) ? ~rank : rank;
}

// Who asked the pool whose function reports a block at `report`; the root: nobody.
FrameTree::NodeId caller_of_pool(const FrameTree& tree, FrameTree::NodeId report) {
  FrameTree::NodeId node = tree.parent(report);
  while (node != FrameTree::kRoot && names_allocation(tree.frame(node).function))
    node = tree.parent(node);
  return node;
}

}  // namespace

FrameTree::NodeId responsible_node(const FrameTree& tree, FrameTree::NodeId leaf,
                                   const CodeOrigins& origins) {
  if (leaf != FrameTree::kRoot && is_pool_report(tree.frame(leaf))) {
    const FrameTree::NodeId caller = caller_of_pool(tree, leaf);
    leaf = caller != FrameTree::kRoot ? caller : tree.parent(leaf);
  }
  std::vector<FrameTree::NodeId> nodes;
  for (FrameTree::NodeId node = leaf; node != FrameTree::kRoot; node = tree.parent(node))
    nodes.push_back(node);
  Search search;
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node)
    search.add(*node, tree.frame(*node), search_rank(tree.frame(*node), origins));
  return search.best;
}

ResponsibleNodes::ResponsibleNodes(const FrameTree& tree, const CodeOrigins& origins)
    : nodes_(tree.size()) {
  std::vector<int8_t> ranks;
  ranks.reserve(tree.frames().size());
  std::vector<bool> reports;
  for (const reader::Frame& frame : tree.frames()) {
    ranks.push_back(static_cast<int8_t>(search_rank(frame, origins)));
    reports.push_back(is_pool_report(frame));
  }
  std::vector<Search> searches(tree.size());
  for (FrameTree::NodeId node = 1; node < tree.size(); ++node) {
    searches[node] = searches[tree.parent(node)];
    searches[node].add(node, tree.frame(node), ranks[tree.frame_id(node)]);
    nodes_[node] = searches[node].best;
    if (!reports[tree.frame_id(node)]) continue;
    const FrameTree::NodeId caller = caller_of_pool(tree, node);
    if (caller != FrameTree::kRoot) nodes_[node] = searches[caller].best;
  }
}

FramesOf without_machinery(FramesOf frames_of) {
  return [frames_of = std::move(frames_of)](uint32_t process_index, uint32_t node) {
    std::vector<reader::Frame> frames = frames_of(process_index, node);
    if (std::ranges::all_of(frames, is_import_machinery)) return frames;
    std::erase_if(frames, is_import_machinery);
    size_t kept = 0;
    for (size_t i = 0; i < frames.size(); ++i) {
      const bool is_inner = i + 1 < frames.size() && is_container_machinery(frames[i]) &&
                            is_container_machinery(frames[i + 1]);
      if (!is_inner) frames[kept++] = frames[i];
    }
    frames.resize(kept);
    return frames;
  };
}

}  // namespace memlens::report

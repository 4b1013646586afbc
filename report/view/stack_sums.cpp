#include "report/view/stack_sums.h"

#include <map>
#include <tuple>
#include <unordered_map>

namespace memlens::report {

std::vector<StackSums> sum_stacks(const std::vector<reader::Site>& sites, Grouping grouping,
                                  const FramesOf& frames_of, FrameTree& tree) {
  std::vector<StackSums> stacks;
  std::unordered_map<uint64_t, FrameTree::NodeId> shown_nodes;  // as in stack_list.cpp
  std::unordered_map<uint64_t, size_t> places;                  // by shown node and thread
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> threads;
  for (const reader::Site& site : sites) {
    const uint64_t key = static_cast<uint64_t>(site.process_index) << 32 | site.node;
    const auto [shown, is_new] = shown_nodes.try_emplace(key, FrameTree::kRoot);
    if (is_new) shown->second = tree.intern(frames_of(site.process_index, site.node));
    uint32_t thread = 0;
    if (grouping == Grouping::kByThread) {
      const auto next = static_cast<uint32_t>(threads.size());
      thread = threads.try_emplace({site.process_index, site.thread_index}, next).first->second;
    }
    const auto [place, added] =
        places.try_emplace(static_cast<uint64_t>(thread) << 32 | shown->second, stacks.size());
    if (added) stacks.push_back({shown->second, site.process_index, site.thread_index, {}});
    for (const View view : kViews) {
      stacks[place->second].tallies[static_cast<unsigned>(view)] += tally_of(site, view);
    }
  }
  return stacks;
}

}  // namespace memlens::report

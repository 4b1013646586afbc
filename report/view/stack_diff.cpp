#include "report/view/stack_diff.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <tuple>
#include <unordered_map>

#include "report/view/matched_trees.h"
#include "report/view/responsible.h"

namespace memlens::report {
namespace {

using NodeId = FrameTree::NodeId;

struct Side {
  const FrameTree& tree;
  const StackList list;
  const CodeOrigins& origins;
  const std::vector<uint32_t>* frame_ids = nullptr;  // matched numbers
  const std::vector<uint32_t>* node_ids = nullptr;
};

template <typename Changed>
void sort_by_change(std::vector<Changed>& items, View view) {
  std::ranges::stable_sort(items, std::greater{}, [view](const Changed& item) {
    return std::tuple(std::abs(item.change.delta_weight(view)),
                      std::abs(item.change.delta_bytes()) + std::abs(item.change.delta_blocks()),
                      weight_of(item.change.after, view));
  });
}

std::vector<DiffStack> merge_stacks(const Side& old_side, const Side& new_side) {
  std::vector<DiffStack> stacks;
  std::unordered_map<uint32_t, size_t> places;
  const auto add = [&](const Side& side, bool is_new, reader::Tally Change::*tally) {
    for (const Stack& stack : side.list.stacks()) {
      const auto [place, added] = places.try_emplace((*side.node_ids)[stack.node], stacks.size());
      if (added) stacks.push_back({&side.tree, stack.node, is_new, {}});
      stacks[place->second].change.*tally += stack.tally;
    }
  };
  // The new one's first: where both have a stack it is shown as the new one has it.
  add(new_side, true, &Change::after);
  add(old_side, false, &Change::before);
  return stacks;
}

std::vector<DiffPlace> sum_places(const std::vector<DiffStack>& stacks, const Side& old_side,
                                  const Side& new_side) {
  const ResponsibleNodes old_nodes(old_side.tree, old_side.origins);
  const ResponsibleNodes new_nodes(new_side.tree, new_side.origins);
  std::vector<DiffPlace> places;
  std::unordered_map<uint32_t, size_t> place_of_frame;
  for (const DiffStack& stack : stacks) {
    const NodeId node = (stack.is_new ? new_nodes : old_nodes).of(stack.node);
    const std::vector<uint32_t>& ids = stack.is_new ? *new_side.frame_ids : *old_side.frame_ids;
    const uint32_t id = ids[stack.tree->frame_id(node)];
    const auto [place, added] = place_of_frame.try_emplace(id, places.size());
    if (added) places.push_back({&stack.tree->frame(node), stack.is_new, {}});
    places[place->second].change.before += stack.change.before;
    places[place->second].change.after += stack.change.after;
  }
  return places;
}

}  // namespace

reader::Variance Change::variance() const {
  reader::Variance sum = before.variance;
  sum += after.variance;
  return sum;
}

StackDiff::StackDiff(const DiffSide& old_side, const DiffSide& new_side, View view) {
  Side before{old_tree_,
              StackList(old_side.sites, view, Grouping::kByFrames, old_side.frames_of, old_tree_),
              old_side.origins};
  Side after{new_tree_,
             StackList(new_side.sites, view, Grouping::kByFrames, new_side.frames_of, new_tree_),
             new_side.origins};
  const MatchedTrees matched({old_tree_, old_side.working_directory},
                             {new_tree_, new_side.working_directory});
  before.frame_ids = &matched.old_frames();
  before.node_ids = &matched.old_nodes();
  after.frame_ids = &matched.new_frames();
  after.node_ids = &matched.new_nodes();

  stacks_ = merge_stacks(before, after);
  sort_by_change(stacks_, view);
  places_ = sum_places(stacks_, before, after);
  sort_by_change(places_, view);
  total_ = {before.list.total(), after.list.total()};
}

}  // namespace memlens::report

#include "report/view/stack_list.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

namespace memlens::report {
namespace {

auto stack_key(const StackPart& part, Grouping grouping) {
  return grouping == Grouping::kByThread
             ? std::tuple(part.process_index, part.thread_index, part.node)
             : std::tuple(0u, 0u, part.node);
}

auto part_key(const StackPart& part, Grouping grouping) {
  return std::tuple_cat(stack_key(part, grouping),
                        std::tuple(part.process_index, part.thread_index, part.kind));
}

std::vector<StackPart> collect_parts(const std::vector<reader::Site>& sites, View view,
                                     const FramesOf& frames_of, FrameTree& tree) {
  std::vector<StackPart> parts;
  // Several sites share a node: one an allocation function and one a thread.
  std::unordered_map<uint64_t, FrameTree::NodeId> shown_nodes;
  for (const reader::Site& site : sites) {
    const reader::Tally& tally = tally_of(site, view);
    if (tally.blocks == 0 && tally.bytes == 0) continue;
    const uint64_t key = static_cast<uint64_t>(site.process_index) << 32 | site.node;
    const auto [shown, added] = shown_nodes.try_emplace(key, FrameTree::kRoot);
    if (added) shown->second = tree.intern(frames_of(site.process_index, site.node));
    parts.push_back({shown->second, site.process_index, site.thread_index, site.kind, tally});
  }
  return parts;
}

// Sorts, and makes one of the parts that became alike because frames are hidden.
void merge_equal_parts(std::vector<StackPart>& parts, Grouping grouping) {
  std::ranges::sort(parts, {}, [&](const StackPart& part) { return part_key(part, grouping); });
  size_t kept = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (kept > 0 && part_key(parts[kept - 1], grouping) == part_key(parts[i], grouping)) {
      parts[kept - 1].tally += parts[i].tally;
    } else {
      parts[kept++] = parts[i];
    }
  }
  parts.resize(kept);
}

}  // namespace

StackList::StackList(const std::vector<reader::Site>& sites, View view, Grouping grouping,
                     const FramesOf& frames_of, FrameTree& tree)
    : parts_(collect_parts(sites, view, frames_of, tree)) {
  merge_equal_parts(parts_, grouping);
  for (size_t begin = 0, end = 0; begin < parts_.size(); begin = end) {
    Stack stack;
    const StackPart* heaviest = &parts_[begin];
    while (end < parts_.size() &&
           stack_key(parts_[end], grouping) == stack_key(parts_[begin], grouping)) {
      const StackPart& part = parts_[end++];
      stack.tally += part.tally;
      if (weight_of(part.tally, view) > weight_of(heaviest->tally, view)) heaviest = &part;
    }
    stack.node = heaviest->node;
    stack.process_index = heaviest->process_index;
    stack.thread_index = heaviest->thread_index;
    stack.parts = std::span<const StackPart>(parts_).subspan(begin, end - begin);
    total_ += stack.tally;
    stacks_.push_back(stack);
  }
  // The sort above is the order among equals.
  std::ranges::stable_sort(stacks_, std::greater{}, [&](const Stack& stack) {
    return std::pair(weight_of(stack.tally, view), stack.tally.bytes + stack.tally.blocks);
  });
}

}  // namespace memlens::report

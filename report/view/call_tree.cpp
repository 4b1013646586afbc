#include "report/view/call_tree.h"

#include <algorithm>
#include <functional>

namespace memlens::report {

CallTree::CallTree(const StackList& list, const FrameTree& frames, View view)
    : frames_(frames), own_(frames.size()), first_child_(frames.size() + 1) {
  for (const Stack& stack : list.stacks()) {
    own_[stack.node].bytes += stack.tally.bytes;
    own_[stack.node].blocks += stack.tally.blocks;
  }
  total_ = own_;
  const auto has_weight = [&](FrameTree::NodeId node) {
    return total_[node].bytes != 0 || total_[node].blocks != 0;
  };
  // A parent's id is smaller than its children's.
  for (FrameTree::NodeId node = static_cast<FrameTree::NodeId>(frames.size()); --node > 0;) {
    if (!has_weight(node)) continue;
    const FrameTree::NodeId parent = frames.parent(node);
    total_[parent].bytes += total_[node].bytes;
    total_[parent].blocks += total_[node].blocks;
    ++first_child_[parent + 1];
  }
  for (size_t i = 1; i < first_child_.size(); ++i) first_child_[i] += first_child_[i - 1];
  children_.resize(first_child_.back());
  std::vector<size_t> next(first_child_.begin(), first_child_.end() - 1);
  for (FrameTree::NodeId node = 1; node < frames.size(); ++node) {
    if (has_weight(node)) children_[next[frames.parent(node)]++] = node;
  }
  for (FrameTree::NodeId node = 0; node < frames.size(); ++node) {
    const auto begin = children_.begin() + static_cast<std::ptrdiff_t>(first_child_[node]);
    const auto end = children_.begin() + static_cast<std::ptrdiff_t>(first_child_[node + 1]);
    std::stable_sort(begin, end, [&](FrameTree::NodeId a, FrameTree::NodeId b) {
      return weight_of(total_[a], view) > weight_of(total_[b], view);
    });
  }
}

}  // namespace memlens::report

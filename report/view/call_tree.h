// Own and total amounts of every node of a frame tree, root first.
#pragma once

#include <vector>

#include "report/view/stack_list.h"

namespace memlens::report {

class CallTree {
 public:
  // The tree must not grow while this is used.
  CallTree(const StackList& list, const FrameTree& frames, View view);

  const FrameTree& frames() const { return frames_; }
  const reader::Tally& own(FrameTree::NodeId node) const { return own_[node]; }
  // Own and all callees'. The root's is the list's total.
  const reader::Tally& total(FrameTree::NodeId node) const { return total_[node]; }
  // The heaviest first; those that weigh nothing are left out.
  std::span<const FrameTree::NodeId> children(FrameTree::NodeId node) const {
    return std::span(children_).subspan(first_child_[node],
                                        first_child_[node + 1] - first_child_[node]);
  }

 private:
  const FrameTree& frames_;
  std::vector<reader::Tally> own_;
  std::vector<reader::Tally> total_;
  std::vector<size_t> first_child_;
  std::vector<FrameTree::NodeId> children_;
};

}  // namespace memlens::report

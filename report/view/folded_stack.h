// A stack as a person reads it: runs of frames that say nothing, and recursion, become one line.
#pragma once

#include <string>
#include <vector>

#include "report/view/frame_tree.h"

namespace memlens::report {

// A frame, or a remark in place of some.
struct StackLine {
  const reader::Frame* frame = nullptr;  // null: a remark
  std::string remark;
  size_t frame_count = 1;  // how many frames it stands for
};

// Innermost first. At most `max_lines`, with a remark for what is left out between the two ends;
// 0 for no limit.
std::vector<StackLine> fold_stack(const FrameTree& tree, FrameTree::NodeId leaf, size_t max_lines);

}  // namespace memlens::report

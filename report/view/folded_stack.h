// A stack as a person reads it: runs of frames that say nothing, and recursion, become one line.
#pragma once

#include <string>
#include <vector>

#include "report/view/code_origin.h"
#include "report/view/frame_tree.h"

namespace memlens::report {

// A frame, or a remark in place of some.
struct StackLine {
  const reader::Frame* frame = nullptr;  // null: a remark
  std::string remark;
  size_t frame_count = 1;  // how many frames it stands for
  std::string place;       // of a remark's frames, when they have one in common
};

// Innermost first. At most `max_lines` (of at least 7), with remarks for what is left out; both
// ends and the responsible frame (responsible.h) are always shown. 0 for no limit.
std::vector<StackLine> fold_stack(const FrameTree& tree, FrameTree::NodeId leaf,
                                  const CodeOrigins& origins, size_t max_lines);

}  // namespace memlens::report

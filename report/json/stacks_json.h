// "memlens.stacks/1": the stacks of a view for programs to read.
#pragma once

#include <ostream>
#include <vector>

#include "report/json/json_writer.h"
#include "report/view/stack_list.h"

namespace memlens::report {

// The member "frames" of a stack: innermost first.
void write_stack_frames(JsonWriter& json, const FrameTree& tree, FrameTree::NodeId leaf);

// `list` is grouped by thread. `limit`: only the heaviest stacks; 0: all. The totals are always
// the whole view's.
void write_stacks_json(std::ostream& out, const reader::CaptureInfo& info,
                       const std::vector<reader::LeftOut>& left_out, View view,
                       const StackList& list, const FrameTree& tree, size_t limit);

}  // namespace memlens::report

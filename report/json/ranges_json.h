// `memlens ranges --json`: docs/json.md.
#pragma once

#include <ostream>
#include <span>
#include <vector>

#include "reader/analysis/marked_ranges.h"
#include "reader/capture/capture.h"
#include "report/view/frame_tree.h"
#include "report/view/stack_list.h"

namespace memlens::report {

// A range and, where they were asked for, the stacks of its peak and of what it left.
struct ShownRange {
  reader::MarkedRange range;
  bool has_stacks = false;
  std::vector<Stack> peak;
  std::vector<Stack> leaks;
};

// The tree has the stacks' nodes.
void write_ranges_json(std::ostream& out, const reader::CaptureInfo& info,
                       std::span<const ShownRange> ranges, size_t range_count,
                       const FrameTree& tree);

}  // namespace memlens::report

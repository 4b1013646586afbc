// Stacks whose still allocated bytes rise from mark to mark: what a program that runs for long
// loses memory by, as against what it fills once and keeps.
#pragma once

#include <span>
#include <vector>

#include "report/view/stack_list.h"

namespace memlens::report {

struct GrowingStack {
  FrameTree::NodeId node = 0;
  uint32_t process_index = 0;  // of the part that has gained most
  uint32_t thread_index = 0;
  std::vector<reader::GrowthPoint> points;  // one a mark

  uint64_t gained_bytes() const { return points.back().bytes - points.front().bytes; }
};

// Whether the bytes rise, from when there are any: in two of three steps at least, also over the
// last three; by a step down they lose at most a tenth of what they gain in all. Of samples, what
// may well be chance (two standard errors) is no rise, and no fall.
bool is_growing(std::span<const reader::GrowthPoint> points);

// One stack for all threads and processes that share its shown frames; what gained most first.
std::vector<GrowingStack> find_growing(const reader::Analysis& analysis, const FramesOf& frames_of,
                                       FrameTree& tree);

}  // namespace memlens::report

// Every stack with what it holds in all four views: for reports that show them side by side.
//
// Invariant: for each view, the sums over the stacks equal the sums over the sites.
#pragma once

#include <array>
#include <vector>

#include "report/view/stack_list.h"

namespace memlens::report {

struct StackSums {
  FrameTree::NodeId node = 0;
  uint32_t process_index = 0;  // under kByFrames, of the first site
  uint32_t thread_index = 0;
  std::array<reader::Tally, kViews.size()> tallies;

  const reader::Tally& of(View view) const { return tallies[static_cast<unsigned>(view)]; }
};

// In a fixed order. Stacks are interned into the tree.
std::vector<StackSums> sum_stacks(const std::vector<reader::Site>& sites, Grouping grouping,
                                  const FramesOf& frames_of, FrameTree& tree);

}  // namespace memlens::report

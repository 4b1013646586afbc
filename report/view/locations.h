// Where a view's bytes come from, by source line: each stack counts at its responsible frame.
#pragma once

#include <vector>

#include "report/view/responsible.h"
#include "report/view/stack_list.h"

namespace memlens::report {

struct Location {
  const reader::Frame* frame = nullptr;  // of the tree
  reader::Tally tally;
  size_t stacks = 0;
};

// The heaviest first. The sums equal the list's total. The tree must not grow while they are used.
std::vector<Location> find_locations(const StackList& list, const FrameTree& tree, View view,
                                     const CodeOrigins& origins);

}  // namespace memlens::report

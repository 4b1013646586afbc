// The stacks of one view in two captures, side by side, matched as matched_trees.h does.
//
// Invariant: the sums over the stacks equal both totals.
#pragma once

#include <string_view>
#include <vector>

#include "report/view/code_origin.h"
#include "report/view/stack_list.h"

namespace memlens::report {

// One of the two captures. All of it outlives the diff.
struct DiffSide {
  const std::vector<reader::Site>& sites;
  const FramesOf& frames_of;
  const CodeOrigins& origins;
  std::string_view working_directory;
};

struct Change {
  reader::Tally before;
  reader::Tally after;

  int64_t delta_bytes() const { return static_cast<int64_t>(after.bytes - before.bytes); }
  int64_t delta_blocks() const { return static_cast<int64_t>(after.blocks - before.blocks); }
  // Of the deltas: the captures are independent.
  reader::Variance variance() const;
  // What the view is sorted by.
  int64_t delta_weight(View view) const {
    return view == View::kTemporary ? delta_blocks() : delta_bytes();
  }
};

struct DiffStack {
  const FrameTree* tree = nullptr;  // that of the new capture where it has the stack
  FrameTree::NodeId node = 0;
  bool is_new = false;  // it is of the new capture
  Change change;
};

// A line of the program's own, with all stacks it is responsible for (responsible.h).
struct DiffPlace {
  const reader::Frame* frame = nullptr;
  bool is_new = false;  // as above
  Change change;
};

class StackDiff {
 public:
  StackDiff(const DiffSide& old_side, const DiffSide& new_side, View view);

  StackDiff(const StackDiff&) = delete;

  // The largest change first, up or down.
  const std::vector<DiffStack>& stacks() const { return stacks_; }
  const std::vector<DiffPlace>& places() const { return places_; }
  const Change& total() const { return total_; }

 private:
  FrameTree old_tree_;
  FrameTree new_tree_;
  std::vector<DiffStack> stacks_;
  std::vector<DiffPlace> places_;
  Change total_;
};

}  // namespace memlens::report

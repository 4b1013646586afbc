// Two captures' frame trees as one: which node of the one is which of the other.
//
// The captures may be of different builds and machines. So frames are matched by function and file,
// not by line: an edit above does not make a stack new. A file is known by its path below the
// program's folder or Python's, or by the folders it has in common with the other's
// (matched_files.h). What has no name is known by its library alone: addresses move in every build.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "report/view/frame_tree.h"

namespace memlens::report {

class MatchedTrees {
 public:
  // A tree and the folder its program was started in; both outlive this.
  struct Side {
    const FrameTree& tree;
    std::string_view working_directory;
  };
  MatchedTrees(const Side& old_side, const Side& new_side);

  // Matched numbers by node of a side's tree: 0 is the root's, and a caller's is smaller than its
  // callees'. Frames have numbers of their own.
  const std::vector<uint32_t>& old_nodes() const { return old_nodes_; }
  const std::vector<uint32_t>& new_nodes() const { return new_nodes_; }
  const std::vector<uint32_t>& old_frames() const { return old_frames_; }
  const std::vector<uint32_t>& new_frames() const { return new_frames_; }

  size_t node_count() const { return node_count_; }
  size_t frame_count() const { return frame_count_; }

 private:
  std::vector<uint32_t> old_nodes_, new_nodes_;
  std::vector<uint32_t> old_frames_, new_frames_;
  size_t node_count_ = 0;
  size_t frame_count_ = 0;
};

}  // namespace memlens::report

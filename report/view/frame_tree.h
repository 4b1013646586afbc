// The stacks of a report as one tree, root first: equal frames under equal callers are one node.
//
// It is at once how stacks are kept compactly (a stack is its leaf's id), how stacks that differ
// only in frames not shown become one, and the call tree.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "reader/capture.h"

namespace memlens::report {

class FrameTree {
 public:
  using NodeId = uint32_t;
  static constexpr NodeId kRoot = 0;  // no frame

  FrameTree() : nodes_{{kRoot, 0}} {}

  // The node of a stack given innermost first. Frames' views must outlive the tree.
  NodeId intern(std::span<const reader::Frame> innermost_first);

  size_t size() const { return nodes_.size(); }
  // A parent's id is smaller than its children's.
  NodeId parent(NodeId node) const { return nodes_[node].parent; }
  // Not of the root.
  const reader::Frame& frame(NodeId node) const { return frames_[nodes_[node].frame]; }
  // Equal frames have equal ids, from 0 on.
  uint32_t frame_id(NodeId node) const { return nodes_[node].frame; }
  const std::vector<reader::Frame>& frames() const { return frames_; }

  // Calls visit(frame) from the innermost frame outwards.
  template <typename Visit>
  void for_each_frame(NodeId leaf, Visit&& visit) const {
    for (NodeId node = leaf; node != kRoot; node = parent(node)) visit(frame(node));
  }

 private:
  struct Node {
    NodeId parent;
    uint32_t frame;
  };
  struct FrameHash {
    size_t operator()(const reader::Frame& frame) const;
  };
  struct FrameEqual {
    bool operator()(const reader::Frame& a, const reader::Frame& b) const;
  };

  uint32_t intern_frame(const reader::Frame& frame);

  std::vector<Node> nodes_;
  std::vector<reader::Frame> frames_;
  std::unordered_map<reader::Frame, uint32_t, FrameHash, FrameEqual> frame_ids_;
  std::unordered_map<uint64_t, NodeId> children_;  // parent << 32 | frame
};

}  // namespace memlens::report

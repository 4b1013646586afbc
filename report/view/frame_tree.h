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

#include "reader/capture/capture.h"

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

  // Where a frame's texts lie: nearly always the same texts lie in the same place.
  struct Identity {
    const char* function = nullptr;
    const char* file = nullptr;
    const char* module = nullptr;
    size_t function_bytes = 0;
    size_t file_bytes = 0;
    size_t module_bytes = 0;
    uint32_t line = 0;
    reader::FrameOrigin origin{};

    explicit Identity(const reader::Frame& frame);
    Identity() = default;
    bool operator==(const Identity&) const = default;
    size_t slot() const;
  };
  struct SeenFrame {
    Identity identity;
    uint32_t frame = UINT32_MAX;
  };
  static constexpr size_t kSeenFrames = 1024;

  // Of a stack.
  struct Step {
    NodeId node;
    uint32_t frame;
  };

  uint32_t intern_frame(const reader::Frame& frame);
  uint32_t intern_new_frame(const reader::Frame& frame);
  NodeId child(NodeId parent, uint32_t frame);
  NodeId& child_slot(Node node);
  void grow_children();

  std::vector<Node> nodes_;
  std::vector<reader::Frame> frames_;
  std::unordered_map<reader::Frame, uint32_t, FrameHash, FrameEqual> frame_ids_;
  // Nodes by parent and frame: open addressing, at most half full, kRoot where there is none. With
  // std::unordered_map, a report of three million nodes took a third of its time looking them up.
  std::vector<NodeId> children_ = std::vector<NodeId>(1024, kRoot);

  // Two shortcuts, without which a report of deep stacks spends its time hashing: the frames seen
  // last, and the stack interned last, outermost first, whose callers the next one mostly shares.
  // `memlens tree` on 25,000 stacks, 600 frames deep at the most: 0.12 s instead of 0.18.
  std::vector<SeenFrame> seen_frames_ = std::vector<SeenFrame>(kSeenFrames);
  std::vector<Step> last_stack_;
};

}  // namespace memlens::report

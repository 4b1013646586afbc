#include "report/view/frame_tree.h"

namespace memlens::report {

size_t FrameTree::FrameHash::operator()(const reader::Frame& frame) const {
  const std::hash<std::string_view> hash;
  size_t value = hash(frame.function);
  value = value * 0x9E3779B97F4A7C15u + hash(frame.file);
  value = value * 0x9E3779B97F4A7C15u + hash(frame.module);
  return value * 0x9E3779B97F4A7C15u + frame.line * 4 + static_cast<unsigned>(frame.origin);
}

// The source text follows from file and line.
bool FrameTree::FrameEqual::operator()(const reader::Frame& a, const reader::Frame& b) const {
  return a.line == b.line && a.origin == b.origin && a.function == b.function && a.file == b.file &&
         a.module == b.module;
}

FrameTree::Identity::Identity(const reader::Frame& frame)
    : function(frame.function.data()),
      file(frame.file.data()),
      module(frame.module.data()),
      function_bytes(frame.function.size()),
      file_bytes(frame.file.size()),
      module_bytes(frame.module.size()),
      line(frame.line),
      origin(frame.origin) {}

size_t FrameTree::Identity::slot() const {
  return ((reinterpret_cast<uintptr_t>(function) + line) * 0x9E3779B97F4A7C15u >> 40) % kSeenFrames;
}

uint32_t FrameTree::intern_frame(const reader::Frame& frame) {
  const Identity identity(frame);
  SeenFrame& seen = seen_frames_[identity.slot()];
  if (seen.frame == UINT32_MAX || seen.identity != identity) {
    seen = {identity, intern_new_frame(frame)};
  }
  return seen.frame;
}

uint32_t FrameTree::intern_new_frame(const reader::Frame& frame) {
  const auto [place, added] = frame_ids_.try_emplace(frame, static_cast<uint32_t>(frames_.size()));
  if (added) frames_.push_back(frame);
  return place->second;
}

FrameTree::NodeId FrameTree::child(NodeId parent, uint32_t frame) {
  NodeId& slot = child_slot({parent, frame});
  if (slot != kRoot) return slot;
  const auto node = static_cast<NodeId>(nodes_.size());
  slot = node;
  nodes_.push_back({parent, frame});
  if (nodes_.size() * 2 > children_.size()) grow_children();
  return node;
}

// Where the node is, or belongs.
FrameTree::NodeId& FrameTree::child_slot(Node node) {
  const uint64_t key = static_cast<uint64_t>(node.parent) << 32 | node.frame;
  uint64_t hash = key * 0x9E3779B97F4A7C15u;
  hash = (hash ^ hash >> 32) * 0xC2B2AE3D27D4EB4Fu >> 32;
  for (size_t i = hash;; ++i) {
    NodeId& slot = children_[i & (children_.size() - 1)];
    if (slot == kRoot) return slot;
    const Node& other = nodes_[slot];
    if (other.parent == node.parent && other.frame == node.frame) return slot;
  }
}

void FrameTree::grow_children() {
  children_.assign(children_.size() * 4, kRoot);
  for (NodeId node = 1; node < nodes_.size(); ++node) child_slot(nodes_[node]) = node;
}

FrameTree::NodeId FrameTree::intern(std::span<const reader::Frame> innermost_first) {
  NodeId node = kRoot;
  size_t depth = 0;
  bool as_last = true;
  for (auto frame = innermost_first.rbegin(); frame != innermost_first.rend(); ++frame, ++depth) {
    const uint32_t id = intern_frame(*frame);
    as_last = as_last && depth < last_stack_.size() && last_stack_[depth].frame == id;
    if (as_last) {
      node = last_stack_[depth].node;
      continue;
    }
    last_stack_.resize(depth);
    node = child(node, id);
    last_stack_.push_back({node, id});
  }
  return node;
}

}  // namespace memlens::report

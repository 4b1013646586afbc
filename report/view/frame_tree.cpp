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

uint32_t FrameTree::intern_frame(const reader::Frame& frame) {
  const auto [place, added] = frame_ids_.try_emplace(frame, static_cast<uint32_t>(frames_.size()));
  if (added) frames_.push_back(frame);
  return place->second;
}

FrameTree::NodeId FrameTree::intern(std::span<const reader::Frame> innermost_first) {
  NodeId node = kRoot;
  for (auto frame = innermost_first.rbegin(); frame != innermost_first.rend(); ++frame) {
    const uint32_t id = intern_frame(*frame);
    const auto [place, added] = children_.try_emplace(static_cast<uint64_t>(node) << 32 | id,
                                                      static_cast<NodeId>(nodes_.size()));
    if (added) nodes_.push_back({node, id});
    node = place->second;
  }
  return node;
}

}  // namespace memlens::report

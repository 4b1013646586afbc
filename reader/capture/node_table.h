// The stack tree of one process. A node is a stack: its own frame on top of its parent's.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "reader/capture/id_table.h"

namespace memlens::reader {

enum class NodeKind : uint8_t { kMissing, kPython, kNative, kLabel, kTask };

struct Node {
  // kPython: code id << 32 | (instruction offset + 1); kNative: address; kLabel: number of a label;
  // kTask: code id << 32 | name (string id)
  uint64_t value = 0;
  uint32_t parent = 0;
  NodeKind kind = NodeKind::kMissing;

  uint32_t code() const { return static_cast<uint32_t>(value >> 32); }
  uint32_t instruction() const { return static_cast<uint32_t>(value); }
  uint32_t task_name() const { return static_cast<uint32_t>(value); }
};

class NodeTable {
 public:
  void add_python(uint32_t id, uint32_t parent, uint32_t code, uint32_t instruction) {
    add(id, {uint64_t{code} << 32 | instruction, parent, NodeKind::kPython});
  }
  void add_native(uint32_t id, uint32_t parent, uint64_t address) {
    add(id, {address, parent, NodeKind::kNative});
  }
  void add_task(uint32_t id, uint32_t parent, uint32_t code, uint32_t name) {
    add(id, {uint64_t{code} << 32 | name, parent, NodeKind::kTask});
    has_tasks_ = true;
  }
  void add_label(uint32_t id, uint32_t parent, std::string_view label) {
    add(id, {labels_.size(), parent, NodeKind::kLabel});
    labels_.push_back(label);
  }

  // Of the node that follows the one added last. After lose_place() that is not known until one is
  // added by its id: throws PayloadError.
  uint32_t next() const {
    if (!in_place_) throw PayloadError("a stack follows one that is missing");
    return newest_ + 1;
  }
  void lose_place() { in_place_ = false; }
  // The next node is there, but nothing is known of it.
  void skip_next() { ++newest_; }
  uint32_t parent_of_next(uint64_t distance) const {
    if (distance == 0 || distance > next()) throw PayloadError("a stack has an impossible caller");
    return static_cast<uint32_t>(next() - distance);
  }

  size_t size() const { return newest_; }
  bool has_tasks() const { return has_tasks_; }
  // kMissing for the root and for an id that is not there. A parent's id is less than its child's.
  Node get(uint32_t id) const { return nodes_.get(id); }
  std::string_view label(const Node& node) const { return labels_[node.value]; }
  // visit(const Node&)
  template <typename Visit>
  void for_each(Visit&& visit) const {
    nodes_.for_each(visit);
  }

 private:
  void add(uint32_t id, const Node& node) {
    Node& place = nodes_.add(id, "node");
    if (node.parent >= id) throw PayloadError("a stack is its own caller");
    place = node;
    newest_ = id;
    in_place_ = true;
  }

  IdTable<Node> nodes_;
  uint32_t newest_ = 0;
  bool in_place_ = true;
  bool has_tasks_ = false;
  std::vector<std::string_view> labels_;
};

}  // namespace memlens::reader

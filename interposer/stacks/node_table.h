// Stacks as a tree: a node is a frame on top of its parent, and has one number in the process.
//
// Interning is the real bottleneck in real programs (two to three look-ups an event in a numpy
// program), so a look-up of a known node takes no lock: the index is an open-addressing table of
// node numbers, published by release stores; a grown index replaces the old one, which stays mapped
// for readers that still hold it (at most as much again as the newest).
#pragma once

#include <cstdint>

namespace memlens::interposer {

enum class NodeType : uint32_t { kPython = 1, kNative = 2, kLabel = 3 };

struct NodeKey {
  uint32_t parent;
  NodeType type;
  uint64_t value;  // Python: code id << 32 | offset + 1; native: address; label: string id

  bool operator==(const NodeKey& other) const = default;
};
static_assert(sizeof(NodeKey) == 16);

// At most; beyond it, new stacks are recorded under one label.
inline constexpr uint32_t kMaxNodes = 1u << 25;

namespace node_table {

// 0: not known (yet). Any thread, no lock.
uint32_t find(const NodeKey& key);

// Publishes a node under the next number, which next() told. Caller holds the definitions lock; the
// node's record is written. False when memory or numbers are used up.
bool insert_locked(const NodeKey& key);
uint32_t next_locked();

// In a forked child.
void drop();

}  // namespace node_table
}  // namespace memlens::interposer

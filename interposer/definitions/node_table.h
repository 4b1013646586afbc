// Stacks as a tree: a node is a frame on top of its parent, and has one number in the process.
//
// Interning is what native stacks cost in a real program. `import numpy` makes 225,000 allocations
// on 381,000 nodes: nearly two new ones an event, which no cache can know, while known ones are
// answered by the caches in front of this table (all but 0.1 % of 1.2 million look-ups of native
// ones). So what counts is making a node, and that is cache misses. Measured there, look-ups and
// insertion together were 143 ns a new node with one hash table of numbers, and are 35 now:
//   - A node's first child stands beside it, and two thirds of all nodes are one. A new stack's
//     frames follow each other there, so neither looking for them nor adding them hashes anything.
//   - The other children are in a hash table whose slots hold bits of the hash beside the number: a
//     look-up that finds nothing reads a slot or two of one cache line and no keys.
//   - A look-up is not made again under the lock when no node has come since.
// A look-up takes no lock: the index is an open-addressing table published by release stores; a
// grown one replaces the old one, which stays mapped for readers that still hold it (at most as
// much again as the newest).
#pragma once

#include <cstdint>

namespace memlens::interposer {

enum class NodeType : uint32_t { kPython = 1, kNative = 2, kLabel = 3, kTask = 4 };

struct NodeKey {
  uint32_t parent;
  NodeType type;
  uint64_t value;  // Python: code id << 32 | offset + 1; native: address; label: string id;
                   // task: code id << 32 | name (string id)

  bool operator==(const NodeKey& other) const = default;
};
static_assert(sizeof(NodeKey) == 16);

// At most; beyond it, new stacks are recorded under one label.
inline constexpr uint32_t kMaxNodes = 1u << 25;

namespace node_table {

// 0: not known (yet). Any thread, no lock.
uint32_t find(const NodeKey& key);

// The node published last, 0 before the first: it and all before it are found. Any thread.
uint32_t newest();

// Publishes a node under the number after the newest. Caller holds a RecordsGuard; the node's
// record is written. False when memory or numbers are used up.
bool insert_locked(const NodeKey& key);

// In a forked child.
void drop();

}  // namespace node_table
}  // namespace memlens::interposer

#include "interposer/definitions/node_table.h"

#include <atomic>

#include "interposer/format/metadata_records.h"
#include "interposer/guest/private_memory.h"

namespace memlens::interposer::node_table {
namespace {

// Nodes in segments, so that they never move and only touched memory is used.
constexpr uint32_t kSegmentShift = 12;
constexpr uint32_t kSegmentNodes = 1u << kSegmentShift;
constexpr uint32_t kSegments = kMaxNodes >> kSegmentShift;
// Two pages: a child that lives for one connection writes to no more of them than it has nodes for.
constexpr uint32_t kInitialSlots = 1u << 11;

// Zeroed memory is valid.
struct Node {
  static constexpr uint32_t kTypeShift = 25;
  static_assert(kMaxNodes == 1u << kTypeShift);

  std::atomic<uint32_t> first_child;
  uint32_t parent_and_type;
  uint64_t value;

  static uint32_t parent_and_type_of(const NodeKey& key) {
    return key.parent | static_cast<uint32_t>(key.type) << kTypeShift;
  }
  bool has(const NodeKey& key) const {
    return value == key.value && parent_and_type == parent_and_type_of(key);
  }
  NodeKey key() const {
    return {parent_and_type & (kMaxNodes - 1), static_cast<NodeType>(parent_and_type >> kTypeShift),
            value};
  }
};
static_assert(sizeof(Node) == 16);

struct Segment {
  Node nodes[kSegmentNodes];
};

// The children of a node after its first. A slot is a node's number and, above it, bits of its
// hash: of the nodes that a look-up meets on its way, nearly all are told apart without a look at
// their keys, each of which would be a cache miss.
struct Index {
  uint32_t mask;
  uint32_t reserved[3];
  std::atomic<uint32_t> slots[];  // 0 free
};
constexpr uint32_t kNumberMask = kMaxNodes - 1;

std::atomic<Segment*> segments[kSegments];
std::atomic<Index*> current_index{nullptr};
std::atomic<uint32_t> node_count{0};  // numbers 1..node_count are in use
uint32_t indexed_count = 0;           // of these, in the index

uint64_t hash_of(const NodeKey& key) {
  uint64_t hash = key.value * 0x9E3779B97F4A7C15ull ^
                  ((static_cast<uint64_t>(key.parent) << 2) + static_cast<uint64_t>(key.type)) *
                      0xC2B2AE3D27D4EB4Full;
  hash ^= hash >> 32;
  return hash * 0xD6E8FEB86659FD93ull;
}

uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash) & ~kNumberMask; }
uint32_t first_slot(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }

Segment* segment_of(uint32_t node) {
  return segments[node >> kSegmentShift].load(std::memory_order_acquire);
}
Node& node_at(uint32_t number) { return segment_of(number)->nodes[number & (kSegmentNodes - 1)]; }

bool make_segment(uint32_t node) {
  if (segment_of(node) != nullptr) return true;
  auto* segment = static_cast<Segment*>(allocate_permanent(sizeof(Segment)));
  segments[node >> kSegmentShift].store(segment, std::memory_order_release);
  return segment != nullptr;
}

Index* make_index(uint32_t slots) {
  auto* index = static_cast<Index*>(
      allocate_permanent(sizeof(Index) + size_t{slots} * sizeof(std::atomic<uint32_t>)));
  if (index != nullptr) index->mask = slots - 1;
  return index;
}

void place(Index& index, const NodeKey& key, uint32_t node) {
  const uint64_t hash = hash_of(key);
  uint32_t slot = first_slot(hash) & index.mask;
  while (index.slots[slot].load(std::memory_order_relaxed) != 0) slot = (slot + 1) & index.mask;
  index.slots[slot].store(tag_of(hash) | node, std::memory_order_release);
}

// The index, with room for one more node at a load of at most five eighths.
Index* index_with_room() {
  Index* index = current_index.load(std::memory_order_relaxed);
  if (index == nullptr) {
    index = make_index(kInitialSlots);
  } else if (indexed_count + 1 > index->mask / 8 * 5) {
    Index* larger = make_index((index->mask + 1) * 2);
    if (larger == nullptr) return index->mask > indexed_count + 1 ? index : nullptr;
    const uint32_t count = newest();
    for (uint32_t node = 1; node <= count; ++node) {
      const NodeKey key = node_at(node).key();
      if (node_at(key.parent).first_child.load(std::memory_order_relaxed) != node) {
        place(*larger, key, node);
      }
    }
    index = larger;
  } else {
    return index;
  }
  if (index != nullptr) current_index.store(index, std::memory_order_release);
  return index;
}

}  // namespace

uint32_t find(const NodeKey& key) {
  const Segment* parents = segment_of(key.parent);
  if (parents == nullptr) return 0;
  const uint32_t child =
      parents->nodes[key.parent & (kSegmentNodes - 1)].first_child.load(std::memory_order_acquire);
  if (child == 0 || node_at(child).has(key)) return child;
  Index* index = current_index.load(std::memory_order_acquire);
  if (index == nullptr) return 0;
  const uint64_t hash = hash_of(key);
  const uint32_t tag = tag_of(hash);
  for (uint32_t slot = first_slot(hash);; ++slot) {
    const uint32_t entry = index->slots[slot & index->mask].load(std::memory_order_acquire);
    if (entry == 0) return 0;
    const uint32_t node = entry & kNumberMask;
    if ((entry & ~kNumberMask) == tag && node_at(node).has(key)) return node;
  }
}

uint32_t newest() { return node_count.load(std::memory_order_acquire); }

bool insert_locked(const NodeKey& key) {
  const uint32_t node = newest() + 1;
  if (node >= kMaxNodes || key.parent >= node) return false;
  if (!make_segment(node) || !make_segment(format::kRootNode)) return false;
  std::atomic<uint32_t>& first_child = node_at(key.parent).first_child;
  const bool is_first = first_child.load(std::memory_order_relaxed) == 0;
  Index* index = is_first ? nullptr : index_with_room();
  if (!is_first && index == nullptr) return false;
  Node& added = node_at(node);
  added.parent_and_type = Node::parent_and_type_of(key);
  added.value = key.value;
  if (is_first) {
    first_child.store(node, std::memory_order_release);
  } else {
    place(*index, key, node);
    ++indexed_count;
  }
  node_count.store(node, std::memory_order_release);  // last: see newest()
  return true;
}

void drop() {
  current_index.store(nullptr, std::memory_order_relaxed);
  node_count.store(0, std::memory_order_relaxed);
  indexed_count = 0;
  // They are made in order; further ones have never been touched.
  for (auto& segment : segments) {
    if (segment.load(std::memory_order_relaxed) == nullptr) break;
    segment.store(nullptr, std::memory_order_relaxed);
  }
}

}  // namespace memlens::interposer::node_table

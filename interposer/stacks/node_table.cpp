#include "interposer/stacks/node_table.h"

#include <atomic>

#include "interposer/private_memory.h"

namespace memlens::interposer::node_table {
namespace {

// Nodes in segments, so that they never move and only touched memory is used.
constexpr uint32_t kSegmentShift = 14;
constexpr uint32_t kSegmentNodes = 1u << kSegmentShift;
constexpr uint32_t kSegments = kMaxNodes >> kSegmentShift;
constexpr uint32_t kInitialSlots = 1u << 13;

// A slot is a node's number and, above it, bits of its hash: of the nodes that a look-up meets on
// its way, nearly all are told apart without a look at their keys, each of which would be a cache
// miss.
struct Index {
  uint32_t mask;
  uint32_t reserved[3];
  std::atomic<uint32_t> slots[];  // 0 free
};
constexpr uint32_t kNumberMask = kMaxNodes - 1;

NodeKey* segments[kSegments];
std::atomic<Index*> current_index{nullptr};
std::atomic<uint32_t> node_count{0};  // numbers 1..node_count are in use

uint64_t hash_of(const NodeKey& key) {
  uint64_t hash = key.value * 0x9E3779B97F4A7C15ull ^
                  ((static_cast<uint64_t>(key.parent) << 2) + static_cast<uint64_t>(key.type)) *
                      0xC2B2AE3D27D4EB4Full;
  hash ^= hash >> 32;
  return hash * 0xD6E8FEB86659FD93ull;
}

uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash) & ~kNumberMask; }
uint32_t first_slot(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }

NodeKey& node_at(uint32_t node) {
  return segments[node >> kSegmentShift][node & (kSegmentNodes - 1)];
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
  const uint32_t count = newest();
  if (index == nullptr) {
    index = make_index(kInitialSlots);
  } else if (count + 1 > index->mask / 8 * 5) {
    Index* larger = make_index((index->mask + 1) * 2);
    if (larger == nullptr) return index->mask > count + 1 ? index : nullptr;
    for (uint32_t node = 1; node <= count; ++node) place(*larger, node_at(node), node);
    index = larger;
  } else {
    return index;
  }
  if (index != nullptr) current_index.store(index, std::memory_order_release);
  return index;
}

}  // namespace

uint32_t find(const NodeKey& key) {
  Index* index = current_index.load(std::memory_order_acquire);
  if (index == nullptr) return 0;
  const uint64_t hash = hash_of(key);
  const uint32_t tag = tag_of(hash);
  for (uint32_t slot = first_slot(hash);; ++slot) {
    const uint32_t entry = index->slots[slot & index->mask].load(std::memory_order_acquire);
    if (entry == 0) return 0;
    const uint32_t node = entry & kNumberMask;
    if ((entry & ~kNumberMask) == tag && node_at(node) == key) return node;
  }
}

uint32_t newest() { return node_count.load(std::memory_order_acquire); }

bool insert_locked(const NodeKey& key) {
  const uint32_t node = newest() + 1;
  if (node >= kMaxNodes) return false;
  NodeKey*& segment = segments[node >> kSegmentShift];
  if (segment == nullptr) {
    segment = static_cast<NodeKey*>(allocate_permanent(sizeof(NodeKey) * kSegmentNodes));
    if (segment == nullptr) return false;
  }
  Index* index = index_with_room();
  if (index == nullptr) return false;
  node_at(node) = key;
  place(*index, key, node);
  node_count.store(node, std::memory_order_release);  // last: see newest()
  return true;
}

void drop() {
  current_index.store(nullptr, std::memory_order_relaxed);
  node_count.store(0, std::memory_order_relaxed);
  for (NodeKey*& segment : segments) segment = nullptr;
}

}  // namespace memlens::interposer::node_table

// (parent, address) -> node, in front of intern_native_node(): one cache line instead of a look-up
// in the process's node table. Shared by all threads, without locks, like RuleCache and for its
// reasons: a short-lived thread finds it warm and touches no page of its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace memlens::interposer {

class NativeNodeCache {
 public:
  // 0: not here.
  uint32_t find(uint32_t parent, uint64_t address) const {
    const Entry& entry = entries_[slot_of(parent, address)];
    const uint64_t nodes = entry.nodes.load(std::memory_order_relaxed);
    const bool match =
        entry.mixed_address.load(std::memory_order_relaxed) == (key_of(address) ^ mix(nodes)) &&
        nodes >> 32 == parent;
    return match ? static_cast<uint32_t>(nodes) : 0;
  }

  void insert(uint32_t parent, uint64_t address, uint32_t node) {
    Entry& entry = entries_[slot_of(parent, address)];
    const uint64_t nodes = static_cast<uint64_t>(parent) << 32 | node;
    entry.mixed_address.store(key_of(address) ^ mix(nodes), std::memory_order_relaxed);
    entry.nodes.store(nodes, std::memory_order_relaxed);
  }

  // All caches, in a forked child, whose nodes are numbered anew. Nothing is cleared: that would
  // copy every page.
  static void forget() { ++epoch_; }

 private:
  static constexpr unsigned kSlotBits = 15;
  struct Entry {
    std::atomic<uint64_t> mixed_address;
    std::atomic<uint64_t> nodes;
  };

  uint64_t key_of(uint64_t address) const { return address + epoch_ * 0x9E3779B97F4A7C15ull; }
  static uint64_t mix(uint64_t nodes) { return nodes * 0xD6E8FEB86659FD93ull; }
  static size_t slot_of(uint32_t parent, uint64_t address) {
    return ((address ^ static_cast<uint64_t>(parent) << 24) * 0x9E3779B97F4A7C15ull) >>
           (64 - kSlotBits);
  }

  Entry entries_[size_t{1} << kSlotBits];
  static inline constinit uint64_t epoch_ = 0;
};

}  // namespace memlens::interposer

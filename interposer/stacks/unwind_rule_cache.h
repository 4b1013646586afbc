// pc -> rule, shared by all threads of the process; read and written without locks.
//
// Two words an entry, direct-mapped with a second chance. A reader may see one word of an older and
// one of a newer entry: the first word is kept mixed with the second, so a torn pair does not
// decode to the address asked for and counts as a miss. 512 kB of zero pages, of which a program
// touches what it uses; a new thread finds everything its predecessors compiled.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "interposer/stacks/processor.h"

namespace memlens::interposer::unwind {

class RuleCache {
 public:
  // `generation` is native_code_generation; entries of another are not found.
  bool find(uintptr_t address, uint32_t generation, UnwindRule& rule) const {
    const uint64_t key = key_of(address, generation);
    const size_t slot = slot_of(address);
    return decode(entries_[slot], key, rule) || decode(entries_[slot ^ 1], key, rule);
  }

  void insert(uintptr_t address, uint32_t generation, UnwindRule rule) {
    const size_t slot = slot_of(address);
    // What was there moves to the second place: the most recent two survive.
    Entry& first = entries_[slot];
    Entry& second = entries_[slot ^ 1];
    second.mixed_key.store(first.mixed_key.load(std::memory_order_relaxed),
                           std::memory_order_relaxed);
    second.rule.store(first.rule.load(std::memory_order_relaxed), std::memory_order_relaxed);
    first.mixed_key.store(key_of(address, generation) ^ mix(rule.bits()),
                          std::memory_order_relaxed);
    first.rule.store(rule.bits(), std::memory_order_relaxed);
  }

 private:
  static constexpr unsigned kSlotBits = 15;

  struct Entry {
    std::atomic<uint64_t> mixed_key;
    std::atomic<uint64_t> rule;
  };

  // User addresses have 47 bits.
  static uint64_t key_of(uintptr_t address, uint32_t generation) {
    return address ^ static_cast<uint64_t>(generation) << 48;
  }
  static uint64_t mix(uint64_t bits) { return bits * 0xD6E8FEB86659FD93ull; }
  static size_t slot_of(uintptr_t address) {
    return (address * 0x9E3779B97F4A7C15ull) >> (64 - kSlotBits);
  }
  static bool decode(const Entry& entry, uint64_t key, UnwindRule& rule) {
    const uint64_t bits = entry.rule.load(std::memory_order_relaxed);
    if ((entry.mixed_key.load(std::memory_order_relaxed) ^ mix(bits)) != key) return false;
    rule = UnwindRule::from_bits(bits);
    return true;
  }

  Entry entries_[size_t{1} << kSlotBits];
};

}  // namespace memlens::interposer::unwind

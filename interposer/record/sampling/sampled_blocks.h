// The sampled blocks that are alive in this process, so that of all frees only theirs are recorded.
//
// Nearly every free is of a block that was not sampled, and must cost next to nothing: one load
// from a filter of small counters. Neighbours in memory are neighbours in the filter, 16 bytes each
// on a byte of it, so it takes a sixteenth of the cache that the blocks themselves take, and those
// the program is using anyway. A heap of 50 GB at one sample in 512 kB holds 100,000 samples: a
// third of the counters, and a third of the frees then looks into the table behind.
//
// The table has no lock, and grows without moving anything: buckets of four in levels, each level
// four times the one before. A block goes to the first level where its bucket has room; a look-up
// visits every level there is.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace memlens::interposer::sampled_blocks {

inline constexpr unsigned kFilterBits = 18;
// Mapped where samples are taken: 256 kB of address space that others do without.
extern std::atomic<uint8_t>* filter;

// The upper bits count too: arenas are aligned, and what is hot in one lies where samples lie in
// the next (Python objects in a loop: 3 % of its time).
constexpr size_t filter_slot(uintptr_t address) {
  return (address >> 4 ^ address >> (4 + kFilterBits)) & ((size_t{1} << kFilterBits) - 1);
}

// False: certainly not sampled, also when another thread allocated it: its counter rose before the
// address was handed out. Precondition: begin().
__attribute__((always_inline)) inline bool may_hold(const void* block) {
  return filter[filter_slot(reinterpret_cast<uintptr_t>(block))].load(std::memory_order_relaxed) !=
         0;
}

bool holds(uint64_t address);

// `place` is the caller's own. False when there is no room: more than a million are alive.
bool insert(uint64_t address, uint64_t place);

// False: it is none of them.
bool remove(uint64_t address, uint64_t& place);

// Calls `removed` with each that equals `value` where `mask` has ones, and takes it out first.
// Looks at the whole table.
void remove_all(uint64_t mask, uint64_t value,
                void (*removed)(uint64_t address, uint64_t place, void* argument), void* argument);

// In a forked child, and before the first: there are none. False without memory.
bool begin();

}  // namespace memlens::interposer::sampled_blocks

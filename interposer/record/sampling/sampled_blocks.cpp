#include "interposer/record/sampling/sampled_blocks.h"

#include <cerrno>

#include "interposer/guest/private_memory.h"
#include "interposer/platform/system_call.h"

namespace memlens::interposer::sampled_blocks {

std::atomic<uint8_t>* filter = nullptr;

namespace {

constexpr size_t kFilterBytes = size_t{1} << kFilterBits;
constexpr unsigned kLevels = 6;
constexpr unsigned kBucketSlots = 4;

struct Slot {
  std::atomic<uint64_t> address;  // kFree, kTaken, or a block's
  std::atomic<uint64_t> place;    // valid under an address
};
constexpr uint64_t kFree = 0;
constexpr uint64_t kTaken = 1;  // being filled in

struct alignas(64) Bucket {
  Slot slots[kBucketSlots];
};
static_assert(sizeof(Bucket) == 64);

constexpr size_t bucket_count(unsigned level) { return size_t{1} << (8 + 2 * level); }

std::atomic<Bucket*> levels[kLevels];  // zeroed pages

Bucket& bucket_of(Bucket* level, unsigned number, uint64_t address) {
  const uint64_t hash = (address >> 4) * 0x9E3779B97F4A7C15ull >> 32;
  return level[hash & (bucket_count(number) - 1)];
}

// The level, made if need be; nullptr when there is no memory.
Bucket* level_for_insert(unsigned number) {
  Bucket* level = levels[number].load(std::memory_order_acquire);
  if (level != nullptr) return level;
  const size_t bytes = bucket_count(number) * sizeof(Bucket);
  auto* made = static_cast<Bucket*>(map_pages(bytes));
  if (made == nullptr) return nullptr;
  if (levels[number].compare_exchange_strong(level, made, std::memory_order_acq_rel)) return made;
  unmap_pages(made, bytes);
  return level;
}

Slot* find(uint64_t address) {
  for (unsigned number = 0; number < kLevels; ++number) {
    Bucket* level = levels[number].load(std::memory_order_acquire);
    if (level == nullptr) return nullptr;
    for (Slot& slot : bucket_of(level, number, address).slots) {
      if (slot.address.load(std::memory_order_acquire) == address) return &slot;
    }
  }
  return nullptr;
}

// A counter that has reached its end stays there: the filter then says "maybe" for good.
constexpr uint8_t kCounterEnd = 255;

void count(uint64_t address, int step) {
  std::atomic<uint8_t>& counter = filter[filter_slot(address)];
  uint8_t value = counter.load(std::memory_order_relaxed);
  while (value != kCounterEnd &&
         !counter.compare_exchange_weak(value, static_cast<uint8_t>(value + step),
                                        std::memory_order_acq_rel)) {
  }
}

bool place_in_table(uint64_t address, uint64_t place) {
  for (unsigned number = 0; number < kLevels; ++number) {
    Bucket* level = level_for_insert(number);
    if (level == nullptr) return false;
    for (Slot& slot : bucket_of(level, number, address).slots) {
      uint64_t expected = kFree;
      if (!slot.address.compare_exchange_strong(expected, kTaken, std::memory_order_acquire)) {
        continue;
      }
      slot.place.store(place, std::memory_order_relaxed);
      slot.address.store(address, std::memory_order_release);
      return true;
    }
  }
  return false;
}

}  // namespace

bool holds(uint64_t address) { return find(address) != nullptr; }

bool insert(uint64_t address, uint64_t place) {
  // Still there: its free was never seen. The reader, too, takes the new block in its stead.
  if (Slot* slot = find(address)) {
    slot->place.store(place, std::memory_order_relaxed);
    return true;
  }
  count(address, 1);  // before the block can be found: nobody may miss it
  if (place_in_table(address, place)) return true;
  count(address, -1);
  return false;
}

bool remove(uint64_t address, uint64_t& place) {
  Slot* slot = find(address);
  if (slot == nullptr) return false;
  place = slot->place.load(std::memory_order_relaxed);
  uint64_t expected = address;
  if (!slot->address.compare_exchange_strong(expected, kFree, std::memory_order_acq_rel)) {
    return false;  // freed twice at once: the other one has it
  }
  count(address, -1);
  return true;
}

void remove_all(uint64_t mask, uint64_t value,
                void (*removed)(uint64_t address, uint64_t place, void* argument), void* argument) {
  for (unsigned number = 0; number < kLevels; ++number) {
    Bucket* level = levels[number].load(std::memory_order_acquire);
    if (level == nullptr) return;
    for (size_t i = 0; i < bucket_count(number); ++i) {
      for (Slot& slot : level[i].slots) {
        const uint64_t address = slot.address.load(std::memory_order_acquire);
        uint64_t place = 0;
        if ((address & mask) == value && remove(address, place)) removed(address, place, argument);
      }
    }
  }
}

bool begin() {
  if (filter == nullptr) {
    filter = static_cast<std::atomic<uint8_t>*>(map_pages(kFilterBytes));
    return filter != nullptr;
  }
  if (levels[0].load(std::memory_order_relaxed) == nullptr) return true;
  for (unsigned number = 0; number < kLevels; ++number) {
    // Not unmapped: a thread that frees a block may be looking through it.
    if (Bucket* level = levels[number].load(std::memory_order_relaxed)) {
      clear_pages(level, bucket_count(number) * sizeof(Bucket));
    }
  }
  const int saved_errno = errno;
  system_call::advise(filter, kFilterBytes, MADV_DONTNEED);  // zeroed pages again
  errno = saved_errno;
  return true;
}

}  // namespace memlens::interposer::sampled_blocks

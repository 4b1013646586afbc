#include "interposer/stacks/module_places.h"

#include <elf.h>

#include <atomic>
#include <cstddef>
#include <cstring>

#include "interposer/guest/private_lock.h"
#include "interposer/guest/private_memory.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/loader/base_name.h"

namespace memlens::interposer {
namespace {

struct Place {
  uint64_t start;
  uint64_t end;
  uint64_t identity;
  uint64_t tag;
};

// Enough for a program that loads and unloads plug-ins all day: the same library at the same place
// is the same entry. When it is full, later libraries go untagged.
constexpr uint32_t kMaxPlaces = 4096;
// In pages, which stay a forked child's.
constexpr uint32_t kBlockPlaces = 128;
Place* blocks[kMaxPlaces / kBlockPlaces];
std::atomic<uint32_t> place_count{0};
PrivateLock places_lock;

Place& place_at(uint32_t index) { return blocks[index / kBlockPlaces][index % kBlockPlaces]; }

// Room for the next one.
bool make_room(uint32_t count) {
  if (count == kMaxPlaces) return false;
  Place*& block = blocks[count / kBlockPlaces];
  if (block == nullptr) block = static_cast<Place*>(map_pages(sizeof(Place) * kBlockPlaces));
  return block != nullptr;
}

uint64_t mix(uint64_t hash, uint8_t byte) { return (hash ^ byte) * 0x100000001b3ull; }

// Reads what is published; entries are never changed.
bool find_place(uint64_t start, uint64_t end, uint64_t identity, uint64_t& tag) {
  for (uint32_t i = place_count.load(std::memory_order_acquire); i-- > 0;) {
    const Place& place = place_at(i);
    if (place.start == start && place.end == end && place.identity == identity) {
      tag = place.tag;
      return true;
    }
  }
  return false;
}

// What makes a library the same one when it comes back.
uint64_t module_identity(const char* name, uint64_t load_bias, const ElfW(Phdr) * segments,
                         int segment_count) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const char* c = base_name(name); *c != '\0'; ++c) {
    hash = mix(hash, static_cast<uint8_t>(*c));
  }
  for (int i = 0; i < segment_count; ++i) {
    // All notes at once: the build id is one of them, the others do not change by themselves.
    if (segments[i].p_type != PT_NOTE) continue;
    const auto* bytes = reinterpret_cast<const uint8_t*>(load_bias + segments[i].p_vaddr);
    const size_t count = segments[i].p_memsz < 4096 ? segments[i].p_memsz : 4096;
    for (size_t at = 0; at < count; ++at) hash = mix(hash, bytes[at]);
  }
  return hash;
}

uint64_t find_or_add_place(uint64_t start, uint64_t end, uint64_t identity) {
  uint64_t tag = 0;
  if (find_place(start, end, identity, tag)) return tag;
  if (!places_lock.lock(&thread_state)) return 0;
  if (!find_place(start, end, identity, tag)) {
    const uint32_t count = place_count.load(std::memory_order_relaxed);
    for (uint32_t i = 0; i < count; ++i) {
      const Place& place = place_at(i);
      const bool overlaps = place.start < end && start < place.end;
      if (overlaps && place.tag >= tag) tag = place.tag + 1;
    }
    if (tag > 0xffff || !make_room(count)) {
      tag = 0;
    } else {
      place_at(count) = {start, end, identity, tag};
      place_count.store(count + 1, std::memory_order_release);
    }
  }
  places_lock.unlock();
  return tag;
}

}  // namespace

uint64_t place_tag(const char* name, uint64_t load_bias, const ElfW(Phdr) * segments,
                   int segment_count) {
  uint64_t start = UINT64_MAX, end = 0;
  for (int i = 0; i < segment_count; ++i) {
    if (segments[i].p_type != PT_LOAD) continue;
    const uint64_t segment_start = load_bias + segments[i].p_vaddr;
    if (segment_start < start) start = segment_start;
    if (segment_start + segments[i].p_memsz > end) end = segment_start + segments[i].p_memsz;
  }
  const uint64_t identity = module_identity(name, load_bias, segments, segment_count);
  return find_or_add_place(start, end, identity) << kPlaceTagShift;
}

}  // namespace memlens::interposer

#include "reader/events/chunk_stacks.h"

#include <utility>

namespace memlens::reader {

uint32_t ChunkStacks::add(size_t index, uint64_t key) {
  entries_[index] = {key, count_, chunk_};
  const uint32_t number = count_++;
  if (size_t{count_} * 2 > entries_.size()) {
    std::vector<Entry> old(entries_.size() * 2);
    old.swap(entries_);
    const size_t mask = entries_.size() - 1;
    for (const Entry& entry : old) {
      if (entry.chunk != chunk_) continue;
      size_t i = hash_of(entry.key) & mask;
      while (entries_[i].chunk == chunk_) i = (i + 1) & mask;
      entries_[i] = entry;
    }
  }
  return number;
}

}  // namespace memlens::reader

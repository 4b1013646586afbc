// Where a process has the segment's chunks mapped: windows of 4 chunks (256 kB), as they are used.
//
// A pool that could grow to its limit would take 1 GB of address space in every recorded process,
// touched or not, and a program under `ulimit -v` would find no memory. So a process maps the
// header and the first window when it attaches (650 kB), and another window when it claims a chunk
// there: first fit means that only a process tree with more than 4 chunks in use does, or a program
// that fills chunks faster than they are taken away.
//
// Looked at when a chunk is claimed, never for an event.
#pragma once

#include <atomic>

#include "interposer/segment/layout.h"

namespace memlens::segment {

class ChunkWindows {
 public:
  // `segment`: attached_bytes() are mapped there.
  void start(SegmentHeader* segment) {
    windows_[0].store(reinterpret_cast<char*>(chunk_at(segment, 0)), std::memory_order_release);
  }

  // nullptr: not mapped here.
  char* window(uint32_t number) const { return windows_[number].load(std::memory_order_acquire); }

  // Precondition: its window is mapped.
  ChunkHeader* chunk(uint32_t index) const {
    return reinterpret_cast<ChunkHeader*>(window(index / kWindowChunks) +
                                          size_t{index % kWindowChunks} * kChunkBytes);
  }

  // Of a window that is mapped: from now on it is not.
  char* take(uint32_t number) {
    return windows_[number].exchange(nullptr, std::memory_order_acq_rel);
  }

  // False: another thread was quicker, and its mapping stays.
  bool add(uint32_t number, char* mapped) {
    char* none = nullptr;
    return windows_[number].compare_exchange_strong(none, mapped, std::memory_order_acq_rel);
  }

 private:
  std::atomic<char*> windows_[kMaxWindows] = {};
};

// Of the window in the segment's file.
constexpr size_t window_offset(uint32_t number) {
  return header_bytes() + size_t{number} * window_bytes();
}

}  // namespace memlens::segment

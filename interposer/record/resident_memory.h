// What is in memory of the large ranges the process has mapped, told when it exits.
//
// A range that was mapped and hardly touched is address space, not memory, and nothing that the
// hooks see tells the two apart. The kernel knows: at exit, smaps says of every range how much of
// it was ever touched (and not given back), which is at least what it was at any time before but
// for ranges that are unmapped by then; those count as asked for. Asking costs a walk of the page
// tables, so only processes that mapped a large range themselves do, once.
#pragma once

#include <atomic>
#include <cstddef>

namespace memlens::interposer {

inline constexpr size_t kLargeMappingBytes = size_t{1} << 20;

extern std::atomic<bool> has_large_mapping;
extern std::atomic<bool> may_open_files;

inline void note_mapping(size_t bytes) {
  if (bytes >= kLargeMappingBytes) has_large_mapping.store(true, std::memory_order_relaxed);
}

// The program is about to lock itself in: a filter that kills knows nothing of files we open.
inline void expect_sandbox() { may_open_files.store(false, std::memory_order_relaxed); }

}  // namespace memlens::interposer

// What a process's resident set is made of, by the kernel's account of each of its mappings
// (proc_pid_smaps(5)). In bytes.
#pragma once

#include <array>
#include <cstdint>

namespace memlens::format {

struct ResidentParts {
  uint64_t resident = 0;  // the sum of anonymous, files, shared, stack and recorder
  // Of resident, pages that n processes have count as an n-th (PSS); and those that only this one
  // has. 0: not looked at; then stack is in anonymous, recorder in shared, thread heaps are
  // unknown.
  uint64_t proportional = 0;
  uint64_t own = 0;

  uint64_t anonymous = 0;  // private, of no file: the heap, anonymous mappings, threads' stacks
  uint64_t files = 0;      // code, data and mapped files, what was written to of them included
  uint64_t shared = 0;     // shared memory: System V, /dev/shm, memfd
  uint64_t stack = 0;      // the main thread's
  uint64_t recorder = 0;   // what the program shares with the recorder's collector
  uint64_t swapped = 0;    // beside resident: what the kernel has moved to swap

  // The heaps of 64 MiB that glibc's malloc makes for threads, in number, and what of anonymous is
  // in them.
  uint64_t thread_heaps = 0;
  uint64_t thread_heap_bytes = 0;

  bool operator==(const ResidentParts&) const = default;
};

// In the order of a frame of resident parts. Append, never reorder.
inline constexpr std::array<uint64_t ResidentParts::*, 11> kResidentPartFields = {
    &ResidentParts::resident,
    &ResidentParts::proportional,
    &ResidentParts::own,
    &ResidentParts::anonymous,
    &ResidentParts::files,
    &ResidentParts::shared,
    &ResidentParts::stack,
    &ResidentParts::recorder,
    &ResidentParts::swapped,
    &ResidentParts::thread_heaps,
    &ResidentParts::thread_heap_bytes};

}  // namespace memlens::format

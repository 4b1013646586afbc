// A copy of this process, in which anything may be tried that would be too dangerous here: it may
// hang, crash or abort, and nobody is harmed.
//
// Of the copy the program notices nothing. It is made by a plain system call, so that no handler of
// pthread_atfork runs, and without a signal at its end: only who waits with __WALL or __WCLONE
// would find it, no wait() and no SIGCHLD. It lets go of the program's descriptors before anything
// else (and has them not even copied: they stay shared until then), so nobody's end of file is
// late. Its memory is copied only where one of the two writes, so what they share it may not write
// to, and its stack is one of its own: the thread's may lie in such memory, and fibers have some
// kilobytes. It is then confined (confinement.h).
//
// What it costs: the page tables are copied (0.5 ms for 32 MB, 24 ms for 1 GB measured on a virtual
// machine; less with huge pages), and each page that the program writes to next faults once (1.2 us
// there). And while it lives it is a process: one more against limits on their number. So it is the
// collector that says whether one may be made (collector/copy_permission.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace memlens::interposer::process_copy {

// `act` runs in it, with all that the calling thread had, and its end is the copy's. What it has to
// say it leaves in whole pages that are shared, the `bytes` at `shared`. The copy's pid; -1: none
// could be made. One thread at a time, in any context; keeps errno.
int32_t make(void (*act)(), const void* shared, size_t bytes);

enum class Ending : uint8_t {
  kNone,        // it lives
  kDone,        // with all that it was to do
  kCrashed,     // or aborted
  kKilled,      // it took too long, or somebody ended it
  kUnconfined,  // it did nothing, as it could not be confined
};
inline constexpr size_t kEndings = 5;
// Once it is not kNone it is nobody's any longer.
Ending look_for_end(int32_t pid);

// Ends it, if it has not ended, and waits for that: for a tenth of a second at most.
Ending end(int32_t pid);

}  // namespace memlens::interposer::process_copy

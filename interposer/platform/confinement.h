// What a copy of the process does to itself before it does anything else, so that whatever happens
// in it stays in it.
#pragma once

#include <cstddef>

namespace memlens::interposer {

// From here on the calling process
// - ends by itself after a fraction of a second, and with the thread it was made by;
// - ends in silence where it crashes or aborts: no core file, no message, no handler of the
//   program's, no line in the kernel's log;
// - writes to no memory that it shares with anybody, but for the `bytes` at `shared`: an allocator
//   may have all its memory in such, and a damaged one may write anywhere;
// - may make no system call but those for memory, waiting, and its end: all others fail.
// False: the kernel cannot do that; then it is to end.
bool confine(const void* shared, size_t bytes);

// With which it exits where it crashes or aborts.
inline constexpr int kCrashStatus = 1;

}  // namespace memlens::interposer

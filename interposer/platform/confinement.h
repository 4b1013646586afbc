// What a copy of the process does to itself before it does anything else, so that whatever happens
// in it stays in it.
#pragma once

namespace memlens::interposer {

// From here on the calling process
// - ends by itself after a fraction of a second, and with the thread it was made by;
// - ends in silence where it crashes or aborts: no core file, no message, no handler of the
//   program's, no line in the kernel's log;
// - may make no system call but those for memory, waiting, and its end: all others fail.
// False: the kernel cannot do that; then it is to end.
bool confine();

// With which it exits where it crashes or aborts.
inline constexpr int kCrashStatus = 1;

}  // namespace memlens::interposer

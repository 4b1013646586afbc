// Whether a recorded process may make a copy of itself, to ask its allocators in
// (interposer/platform/process_copy.h), without anybody noticing.
#pragma once

#include <cstdint>
#include <string>

namespace memlens::collector {

// Where the kernel's files are; tests have their own.
struct KernelFolders {
  std::string cgroups = "/sys/fs/cgroup";
  std::string proc = "/proc";
};

// Empty: it may, at this moment. Otherwise why not. Not:
// - where a filter of system calls is active in any thread: it may kill for the call;
// - where a debugger would be told of the copy;
// - where the next child is to be the first process of a new namespace, or one of another;
// - near a limit on processes or memory, which the copy counts against, or where memory is
//   accounted for strictly;
// - where devices or the kernel work on its memory by other ways than its own (direct input and
//   output, devices other than terminals and the like, userfaultfd), or it is locked: after a copy
//   the first write to a page moves it;
// - where any of that cannot be seen.
std::string reason_against_copy(int32_t pid, uint64_t resident_bytes,
                                const KernelFolders& folders = {});

// Whether it may wait for the end of one: only a filter of system calls speaks against that. Empty:
// it may.
std::string reason_against_waiting(int32_t pid, const KernelFolders& folders = {});

}  // namespace memlens::collector

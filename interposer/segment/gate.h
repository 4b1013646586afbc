// How a process that loads the library and records nothing is woken from outside.
//
// One page, shared: the library's own copy of the word that its hooks look at lies in a page of its
// data, and a process that may be woken maps a memfd over that page. `memlens attach` opens the
// memfd as /proc/<pid>/fd/<n>, which needs no ptrace, goes through mount namespaces, and is open to
// the process's own user (and root) alone. Asking is to write the session's description and to set
// the word; the next hooked call finds it changed.
//
// Why not a thread that waits: a second thread makes programs behave differently (unshare and
// setns refuse, CPython 3.12 warns at every fork), and fork leaves it behind. Why not a signal:
// programs see it (epoll_wait returns EINTR). Why not a socket: daemons close descriptors. Where
// the program has closed this one, root still gets at the page by /proc/<pid>/map_files.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace memlens::segment {

// In /proc/<pid>/maps as "/memfd:dormant-memlens (deleted)".
inline constexpr char kGateName[] = "dormant-memlens";
inline constexpr uint64_t kGateMagic = 0x3145544147534d4cull;  // "LMSGATE1"
inline constexpr size_t kGateBytes = 4096;
inline constexpr size_t kGateTextBytes = 512;

// What the hooks do. kLook: nothing is known yet, or somebody asks.
enum class HookMode : uint32_t { kLook = 0, kOrdinary = 1, kSampling = 2, kDormant = 3 };

enum class GateRequest : uint32_t {
  kNone = 0,
  kAsked,    // `description` is complete
  kTaken,    // the process is at it
  kJoined,   // it records
  kRefused,  // `answer` says why
  kBusy,     // the last session's threads have not all left: ask again
};

struct alignas(kGateBytes) Gate {
  std::atomic<HookMode> mode;  // read by every hooked call
  uint32_t layout_version;     // kLayoutVersion of the segment
  uint64_t magic;
  uint64_t pid_namespace;  // inode
  int32_t pid;             // as the process sees itself: a raw fork leaves the parent's gate
  std::atomic<GateRequest> request;
  // How many filters of system calls the process had when it made the gate. With more by now,
  // joining a session could be the end of it.
  uint32_t seccomp_filters;
  // Written by who holds a lock (flock) on the file.
  char description[kGateTextBytes];
  char answer[kGateTextBytes];
};
static_assert(sizeof(Gate) == kGateBytes);

// "1": load, and record nothing until `memlens attach`.
inline constexpr char kDormantVariable[] = "MEMLENS_DORMANT";

}  // namespace memlens::segment

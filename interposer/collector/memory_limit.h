// What bounds the memory of recorded processes, how near they were, and whether the kernel killed
// for it: what a report needs to tell a kill for want of memory from any other SIGKILL.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "interposer/collector/process_watch.h"

namespace memlens::collector {

struct LimitSample {
  uint64_t limit_bytes = 0;
  uint64_t used_bytes = 0;
  uint64_t kills = 0;  // since the limit exists
};

// The limit that a process meets first: of its cgroup or one above it, in either version of
// cgroups; without any, the machine's memory.
class MemoryLimit {
 public:
  // Where the kernel's files are; tests have their own.
  struct Folders {
    std::string cgroups = "/sys/fs/cgroup";
    std::string proc = "/proc";
  };

  MemoryLimit(int32_t pid, const Folders& folders);

  bool is_cgroup() const { return version_ != 0; }
  // The folder of the cgroup, or of the machine; names the limit.
  const std::string& folder() const { return folder_; }
  // Nothing: it cannot be read, or is no more.
  std::optional<LimitSample> read() const;

 private:
  void consider(const std::string& mount, const std::string& path, int version);
  std::optional<uint64_t> limit_in(const std::string& folder, int version) const;

  std::string folder_;
  int version_ = 0;  // 0: the machine
  uint64_t limit_bytes_ = UINT64_MAX;
};

// Looks at the limits of all living processes now and then.
class LimitWatch {
 public:
  explicit LimitWatch(MemoryLimit::Folders folders = {}) : folders_(std::move(folders)) {}

  // `now_ns`: CLOCK_MONOTONIC.
  void update(const std::vector<WatchedProcess>& living, int64_t now_ns);

  // Of a process that has ended: what was used when it was last seen alive, and how often the
  // kernel killed since it was first seen. Nothing: not known.
  struct Ending {
    LimitSample sample;
    bool is_cgroup = false;
  };
  std::optional<Ending> ended(uint32_t process);

 private:
  struct Known {
    MemoryLimit limit;
    LimitSample last;               // before the latest kill
    uint64_t kills = 0;             // by now
    int64_t killed_ns = INT64_MAX;  // when a kill was first seen; INT64_MAX: it is long ago
  };
  struct Member {
    std::string folder;
    uint64_t kills_before = 0;
  };

  MemoryLimit::Folders folders_;
  std::map<std::string, Known> limits_;   // by folder
  std::map<uint32_t, Member> processes_;  // by index
  int64_t next_look_ns_ = 0;
};

}  // namespace memlens::collector

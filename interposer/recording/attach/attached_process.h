// What `memlens attach` wants to know of a process before it touches it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace memlens::recording {

struct AttachedProcess {
  pid_t pid = 0;
  uint32_t user = 0;
  std::vector<std::string> command;
  std::string executable;
  std::string working_directory;
  bool python = false;
  double age_seconds = 0;
  std::optional<uint64_t> resident_bytes;
};

// Throws RunError with the reason and what to do: there is none, it has ended, it is another
// user's, the kernel's, or it is being recorded already.
AttachedProcess look_at_process(pid_t pid);

}  // namespace memlens::recording

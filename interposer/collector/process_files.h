// What the collector reads of other processes in /proc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace memlens::collector {

// Inode of the pid namespace of `pid` ("self" for 0); 0 when it cannot be read.
uint64_t pid_namespace_of(int32_t pid);

// The pid by which we see the process that calls itself `pid` in the namespace; 0: there is none.
int32_t find_host_pid(int32_t pid, uint64_t pid_namespace);

// Whether `pid` exists and is no zombie.
bool is_running(int32_t pid);

// What is left of a process that has ended: whether its parent has yet to wait for it, and its
// status as of waitpid() where the kernel shows it to us (our own user's processes).
struct Zombie {
  bool exists = false;
  std::optional<int> wait_status;
};
Zombie look_at_zombie(int32_t pid);

// Whether a process has the file of this inode mapped (of those without a name in the file system).
enum class Mapped : uint8_t { kNo, kYes, kUnreadable };
Mapped has_mapped(int32_t pid, uint64_t inode);

// When it was started, in the kernel's clock ticks since boot; nothing when the process has gone.
// Whoever replaced its program by exec is still the one that was started then.
std::optional<uint64_t> start_time(int32_t pid);

// Resident set in bytes; nothing when the process has gone.
std::optional<uint64_t> resident_bytes(int32_t pid);

// How often it has faulted a page in without reading a file; nothing when the process has gone.
std::optional<uint64_t> minor_faults(int32_t pid);

// /proc/<pid>/<file>; empty when the process has gone or may not be looked at.
std::string process_text(int32_t pid, const char* file);

// The arguments `pid` was started with; empty when unreadable.
std::vector<std::string> command_line_of(int32_t pid);

// Whether a process whose initial environment holds `needle` exists, other than this one.
bool any_process_with_environment(const std::string& needle);

}  // namespace memlens::collector

// Another process as its files in /proc show it: memory, mappings, threads.
//
// Memory is read and written through one descriptor of /proc/<pid>/mem. It belongs to the program
// that ran when it was opened: after exec, reads fail rather than show the next program.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace memlens::attach {

struct Mapping {
  uint64_t start = 0;
  uint64_t end = 0;
  bool executable = false;
  bool anonymous = false;
  std::string path;
};

class RemoteProcess {
 public:
  // Throws AttachError when its memory may not be read, with the reason.
  explicit RemoteProcess(pid_t pid);
  ~RemoteProcess();
  RemoteProcess(const RemoteProcess&) = delete;
  RemoteProcess& operator=(const RemoteProcess&) = delete;

  pid_t pid() const { return pid_; }
  // False unless all of it was there.
  bool read(uint64_t address, void* data, size_t bytes) const;
  // Also where the program itself may not write.
  bool write(uint64_t address, const void* data, size_t bytes) const;
  // Zero where nothing can be read.
  template <typename T>
  T value(uint64_t address) const {
    T read_value{};
    return read(address, &read_value, sizeof read_value) ? read_value : T{};
  }
  std::string text(uint64_t address, size_t most) const;

  std::vector<Mapping> mappings() const;
  uint64_t auxiliary_value(uint64_t type) const;
  // Its own first. Empty: it has ended.
  std::vector<pid_t> threads() const;

 private:
  pid_t pid_;
  int memory_fd_;
};

// "/proc/<pid>/<file>"
std::string proc_path(pid_t pid, const std::string& file);
// Of a file like /proc/<pid>/status; empty when there is none.
std::string field_of(const std::string& path, const std::string& name);
std::string status_field(pid_t pid, const std::string& name);
// The number that a thread or process has in its own pid namespace, from that file.
pid_t innermost_number(const std::string& status_path, pid_t otherwise);

// When it cannot be read any more: throws AttachError, which says whether it has ended.
[[noreturn]] void throw_gone(const RemoteProcess& process);

// Why the kernel does not let us look into `pid`, and what to do.
std::string why_not_permitted(pid_t pid);

}  // namespace memlens::attach

#include "interposer/collector/process_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>

namespace memlens::collector {
namespace {

// A whole small file; /proc files report no size.
bool read_file(const std::string& path, std::string& content) {
  content.clear();
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char buffer[16384];
  ssize_t count;
  while ((count = read(fd, buffer, sizeof buffer)) > 0) {
    content.append(buffer, static_cast<size_t>(count));
  }
  close(fd);
  return count == 0;
}

std::string proc_path(int32_t pid, const char* file) {
  return "/proc/" + (pid == 0 ? std::string("self") : std::to_string(pid)) + "/" + file;
}

// Calls `visit` for every process there is, until it returns true; tells whether it did.
bool any_process(const std::function<bool(int32_t)>& visit) {
  DIR* directory = opendir("/proc");
  if (directory == nullptr) return false;
  bool found = false;
  while (const dirent* entry = readdir(directory)) {
    const int32_t pid = atoi(entry->d_name);
    if (pid > 0 && visit(pid)) {
      found = true;
      break;
    }
  }
  closedir(directory);
  return found;
}

// "NSpid:\t812\t1": from our namespace inward. The innermost, when there are at least two.
int32_t innermost_pid(const std::string& status) {
  const size_t start = status.find("\nNSpid:");
  if (start == std::string::npos) return 0;
  const size_t end = status.find('\n', start + 1);
  const std::string line = status.substr(start, end - start);
  const size_t last = line.find_last_of('\t');
  return last == line.find('\t') ? 0 : atoi(line.c_str() + last + 1);
}

}  // namespace

uint64_t pid_namespace_of(int32_t pid) {
  char target[64];
  const ssize_t length = readlink(proc_path(pid, "ns/pid").c_str(), target, sizeof target - 1);
  if (length <= 0) return 0;
  target[length] = '\0';
  const char* bracket = std::strchr(target, '[');  // "pid:[4026531836]"
  return bracket == nullptr ? 0 : strtoull(bracket + 1, nullptr, 10);
}

int32_t find_host_pid(int32_t pid, uint64_t pid_namespace) {
  int32_t found = 0;
  std::string status;
  any_process([&](int32_t candidate) {
    if (!read_file(proc_path(candidate, "status"), status)) return false;
    if (innermost_pid(status) != pid) return false;
    // Unreadable (another user's process): the inner pid alone has to do.
    const uint64_t its_namespace = pid_namespace_of(candidate);
    if (its_namespace != 0 && its_namespace != pid_namespace) return false;
    found = candidate;
    return true;
  });
  return found;
}

bool is_running(int32_t pid) {
  std::string stat;
  if (!read_file(proc_path(pid, "stat"), stat)) return false;
  const size_t after_name = stat.rfind(')');  // "pid (name) state ...": the name may hold anything
  if (after_name == std::string::npos || after_name + 2 >= stat.size()) return true;
  const char state = stat[after_name + 2];
  return state != 'Z' && state != 'X';
}

Zombie look_at_zombie(int32_t pid) {
  std::string text;
  if (pid <= 0 || !read_file(proc_path(pid, "stat"), text)) return {};
  const size_t after_name = text.rfind(')');
  if (after_name == std::string::npos || after_name + 2 >= text.size()) return {};
  if (text[after_name + 2] != 'Z') return {};  // another process has the number by now
  Zombie zombie;
  zombie.exists = true;
  // The last field, from Linux 3.5 on. It reads 0 where we may not know.
  struct stat owner {};
  const bool may_know = stat(("/proc/" + std::to_string(pid)).c_str(), &owner) == 0 &&
                        (owner.st_uid == geteuid() || geteuid() == 0);
  const size_t last = text.find_last_of(' ');
  if (may_know && last != std::string::npos) zombie.wait_status = atoi(text.c_str() + last + 1);
  return zombie;
}

Mapped has_mapped(int32_t pid, uint64_t inode) {
  std::string maps;
  if (!read_file(proc_path(pid, "maps"), maps) || maps.empty()) return Mapped::kUnreadable;
  // "7f..-7f.. rw-s 00000000 00:01 2051    /memfd:memlens (deleted)"
  const std::string needle = " " + std::to_string(inode) + " ";
  for (size_t start = 0; start < maps.size();) {
    const size_t end = std::min(maps.find('\n', start), maps.size());
    const std::string_view line(maps.data() + start, end - start);
    if (line.find(needle) != line.npos && line.find("memfd:memlens") != line.npos) {
      return Mapped::kYes;
    }
    start = end + 1;
  }
  return Mapped::kNo;
}

namespace {

// Field `number` of /proc/<pid>/stat, as proc(5) counts them.
std::optional<uint64_t> stat_field(int32_t pid, int number) {
  constexpr int kName = 2;
  std::string stat;
  if (!read_file(proc_path(pid, "stat"), stat)) return {};
  size_t at = stat.rfind(')');  // "pid (name) state ...": the name may hold anything
  for (int i = kName; i < number && at != std::string::npos; ++i) at = stat.find(' ', at + 1);
  if (at == std::string::npos) return {};
  return strtoull(stat.c_str() + at, nullptr, 10);
}

}  // namespace

std::optional<uint64_t> start_time(int32_t pid) { return stat_field(pid, 22); }
std::optional<uint64_t> minor_faults(int32_t pid) { return stat_field(pid, 10); }

std::optional<uint64_t> resident_bytes(int32_t pid) {
  static const auto page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  char text[128];
  const int fd = open(proc_path(pid, "statm").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length <= 0) return {};
  text[length] = '\0';
  const char* second = std::strchr(text, ' ');  // "size resident shared ..."
  if (second == nullptr) return {};
  return strtoull(second + 1, nullptr, 10) * page_bytes;
}

std::string process_text(int32_t pid, const char* file) {
  std::string text;
  if (!read_file(proc_path(pid, file), text)) text.clear();
  return text;
}

std::vector<std::string> command_line_of(int32_t pid) {
  std::string content;
  std::vector<std::string> arguments;
  if (!read_file(proc_path(pid, "cmdline"), content)) return arguments;
  for (size_t start = 0; start < content.size();) {
    const size_t end = std::min(content.find('\0', start), content.size());
    arguments.push_back(content.substr(start, end - start));
    start = end + 1;
  }
  return arguments;
}

bool any_process_with_environment(const std::string& needle) {
  const int32_t self = getpid();
  std::string content;
  return any_process([&](int32_t pid) {
    return pid != self && read_file(proc_path(pid, "environ"), content) &&
           content.find(needle) != std::string::npos;
  });
}

}  // namespace memlens::collector

#include "interposer/attach/remote_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "interposer/attach/attach_error.h"

namespace memlens::attach {
namespace {

bool have_ptrace_capability() {
  constexpr unsigned kSysPtrace = 19;
  const std::string effective = field_of("/proc/self/status", "CapEff");
  return (strtoull(effective.c_str(), nullptr, 16) >> kSysPtrace & 1) != 0;
}

}  // namespace

std::string proc_path(pid_t pid, const std::string& file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

std::string field_of(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name + ":")) continue;
    const size_t start = line.find_first_not_of(" \t", name.size() + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return {};
}

std::string status_field(pid_t pid, const std::string& name) {
  return field_of(proc_path(pid, "status"), name);
}

pid_t innermost_number(const std::string& status_path, pid_t otherwise) {
  const std::string numbers = field_of(status_path, "NSpid");
  if (numbers.empty()) return otherwise;
  return atoi(numbers.c_str() + numbers.find_last_of(" \t") + 1);
}

std::string why_not_permitted(pid_t pid) {
  const std::string dormant = "or start it with `memlens run --dormant`";
  int scope = 0;
  std::ifstream("/proc/sys/kernel/yama/ptrace_scope") >> scope;
  struct stat status {};
  const bool own = stat(proc_path(pid, "mem").c_str(), &status) == 0 && status.st_uid == geteuid();
  const bool capable = have_ptrace_capability();
  if (scope == 3) {
    return "may not be attached to on this machine (kernel.yama.ptrace_scope is 3, until the next "
           "boot); start it with `memlens run --dormant`";
  }
  if (!capable && geteuid() == 0) {
    return "may not be attached to without the capability CAP_SYS_PTRACE; give it to this "
           "container (docker: --cap-add SYS_PTRACE), " +
           dormant;
  }
  if (!capable && own && scope != 0) {
    return "may not be attached to by its own user (kernel.yama.ptrace_scope is " +
           std::to_string(scope) + "); attach as root, set it to 0 (sysctl), " + dormant;
  }
  if (!own && !capable) {
    return "is protected: it has changed its user, has capabilities of its own, or made itself "
           "undumpable (prctl); attach as root, " +
           dormant;
  }
  return "may not be attached to: it is in another user namespace, or this machine's security "
         "module or seccomp filter forbids ptrace; attach from outside its container as root, " +
         dormant;
}

void throw_gone(const RemoteProcess& process) {
  const std::string state = status_field(process.pid(), "State");
  if (state.empty() || state.starts_with("Z") || state.starts_with("X"))
    throw AttachError("has ended");
  throw AttachError("has just started another program (exec); try again");
}

RemoteProcess::RemoteProcess(pid_t pid)
    : pid_(pid), memory_fd_(open(proc_path(pid, "mem").c_str(), O_RDWR | O_CLOEXEC)) {
  if (memory_fd_ >= 0) return;
  if (errno == ENOENT || errno == ESRCH) throw AttachError("has ended");
  if (errno == EACCES || errno == EPERM) throw AttachError(why_not_permitted(pid));
  throw AttachError(std::string("cannot be looked into: ") + strerror(errno));
}

RemoteProcess::~RemoteProcess() { close(memory_fd_); }

bool RemoteProcess::read(uint64_t address, void* data, size_t bytes) const {
  return pread(memory_fd_, data, bytes, static_cast<off_t>(address)) == static_cast<ssize_t>(bytes);
}

bool RemoteProcess::write(uint64_t address, const void* data, size_t bytes) const {
  return pwrite(memory_fd_, data, bytes, static_cast<off_t>(address)) ==
         static_cast<ssize_t>(bytes);
}

std::string RemoteProcess::text(uint64_t address, size_t most) const {
  constexpr size_t kPiece = 64;  // never beyond its page, which may be the last
  std::string text;
  while (text.size() < most) {
    char piece[kPiece];
    const uint64_t at = address + text.size();
    const size_t bytes = std::min<size_t>(kPiece - at % kPiece, most - text.size());
    if (!read(at, piece, bytes)) break;
    const size_t length = strnlen(piece, bytes);
    text.append(piece, length);
    if (length < bytes) break;
  }
  return text;
}

std::vector<Mapping> RemoteProcess::mappings() const {
  std::vector<Mapping> all;
  std::ifstream maps(proc_path(pid_, "maps"));
  for (std::string line; std::getline(maps, line);) {
    Mapping mapping;
    std::istringstream fields(line);
    char dash = 0;
    std::string permissions, offset, device, inode;
    fields >> std::hex >> mapping.start >> dash >> mapping.end >> permissions >> offset >> device >>
        inode;
    if (!fields || permissions.size() < 4) continue;
    fields >> std::ws;
    std::getline(fields, mapping.path);
    mapping.executable = permissions[2] == 'x';
    mapping.anonymous = inode == "0" && permissions[3] == 'p';
    all.push_back(std::move(mapping));
  }
  return all;
}

uint64_t RemoteProcess::auxiliary_value(uint64_t type) const {
  std::ifstream file(proc_path(pid_, "auxv"), std::ios::binary);
  std::array<uint64_t, 2> entry{};
  while (file.read(reinterpret_cast<char*>(entry.data()), sizeof entry)) {
    if (entry[0] == type) return entry[1];
  }
  return 0;
}

std::vector<pid_t> RemoteProcess::threads() const {
  std::vector<pid_t> all;
  DIR* directory = opendir(proc_path(pid_, "task").c_str());
  if (directory == nullptr) return all;
  while (const dirent* entry = readdir(directory)) {
    const pid_t thread = atoi(entry->d_name);
    if (thread > 0) all.push_back(thread);
  }
  closedir(directory);
  std::stable_partition(all.begin(), all.end(), [this](pid_t t) { return t == pid_; });
  return all;
}

}  // namespace memlens::attach

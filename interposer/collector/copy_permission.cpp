#include "interposer/collector/copy_permission.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

#include "interposer/collector/memory_limit.h"

namespace memlens::collector {
namespace {

// More than these are not looked at, and the process not copied.
constexpr size_t kMostThreads = 1000;
constexpr size_t kMostDescriptors = 4096;
constexpr uint64_t kSpareProcesses = 64;

std::optional<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return file.bad() ? std::nullopt : std::optional(text.str());
}

std::optional<uint64_t> parse_number(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t");
  if (start == std::string_view::npos) return std::nullopt;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + start, text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

// What follows `name` at the beginning of one of the lines.
std::optional<std::string_view> line_after(std::string_view text, std::string_view name) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with(name)) return line.substr(name.size());
    at = end + 1;
  }
  return std::nullopt;
}
std::optional<uint64_t> number_after(std::string_view text, std::string_view name) {
  const auto line = line_after(text, name);
  return line ? parse_number(*line) : std::nullopt;
}

// False: it cannot be read, or there are more than `most`.
bool list_folder(const std::string& path, size_t most, std::vector<std::string>& names) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()), closedir);
  if (!folder) return false;
  while (const dirent* entry = readdir(folder.get())) {
    if (entry->d_name[0] == '.') continue;
    if (names.size() == most) return false;
    names.emplace_back(entry->d_name);
  }
  return true;
}

// What a link of the kernel's leads to; empty: it cannot be read.
std::string read_link(const std::string& path) {
  char target[512];
  const ssize_t length = readlink(path.c_str(), target, sizeof target);
  return {target, length > 0 ? static_cast<size_t>(length) : 0};
}

// After unshare(CLONE_NEWPID) the thread's next child is the first process of a new namespace, and
// with its end nobody can be born there any more. Until there is one the link cannot be read. A new
// one of clocks can be set until its first process is born.
bool children_go_elsewhere(const std::string& thread) {
  const std::string processes = read_link(thread + "/ns/pid");
  return processes.empty() || processes != read_link(thread + "/ns/pid_for_children") ||
         read_link(thread + "/ns/time") != read_link(thread + "/ns/time_for_children");
}

// Calls `against(folder, status)` for each, until one has a reason.
template <typename Against>
std::string against_threads(const std::string& process, Against against) {
  std::vector<std::string> threads;
  if (!list_folder(process + "/task", kMostThreads, threads)) return "it has too many threads";
  for (const std::string& thread : threads) {
    const std::string folder = process + "/task/" + thread;
    const auto status = read_text(folder + "/status");
    if (!status) continue;  // it has just ended
    std::string reason = against(folder, *status);
    if (!reason.empty()) return reason;
  }
  return threads.empty() ? "it has ended" : "";
}

std::string against_filters(const std::string&, const std::string& status) {
  // A kernel built without such filters has no such line.
  return number_after(status, "Seccomp:").value_or(0) != 0 ? "it filters its system calls" : "";
}

bool has_ended(const std::string& status) {
  const auto state = line_after(status, "State:");
  return state && state->find_first_of("ZX") != std::string_view::npos;
}

std::string against_thread(const std::string& folder, const std::string& status) {
  if (number_after(status, "TracerPid:").value_or(1) != 0) return "it is being debugged";
  std::string reason = against_filters(folder, status);
  if (!reason.empty()) return reason;
  if (number_after(status, "VmLck:").value_or(0) != 0) return "it has locked memory";
  std::error_code error;
  if (has_ended(status) || !children_go_elsewhere(folder) ||
      !std::filesystem::exists(folder, error)) {
    return "";
  }
  return read_link(folder + "/ns/pid").empty()
             ? "its namespaces cannot be looked at"
             : "its next child would be the first of a namespace, or of another";
}

std::string against_limits(const std::string& process, const KernelFolders& folders) {
  const auto limits = read_text(process + "/limits");
  const auto most = limits ? line_after(*limits, "Max processes") : std::nullopt;
  const auto load = read_text(folders.proc + "/loadavg");
  if (!most || !load) return "its limits cannot be read";
  // "0.36 0.41 0.45 1/234 4711": of all users.
  const size_t slash = load->find('/');
  const auto all = slash == std::string::npos
                       ? std::nullopt
                       : parse_number(std::string_view(*load).substr(slash + 1));
  const auto limit = parse_number(*most);  // or "unlimited"
  if (!all || (limit && *all + kSpareProcesses > *limit))
    return "it is near its limit of processes";
  const auto overcommit = read_text(folders.proc + "/sys/vm/overcommit_memory");
  if (overcommit && parse_number(*overcommit) == uint64_t{2}) return "memory is accounted strictly";
  return "";
}

// Of the cgroup and all above it, as far as they are seen from here.
bool near_pids_limit(std::string folder, size_t mount_length) {
  for (;;) {
    const auto text = read_text(folder + "/pids.max");
    const auto most = text ? parse_number(*text) : std::nullopt;  // or "max"
    const auto now = most ? read_text(folder + "/pids.current") : std::nullopt;
    if (most && (!now || parse_number(*now).value_or(*most) + kSpareProcesses > *most)) return true;
    const size_t slash = folder.rfind('/');
    if (slash == std::string::npos || slash < mount_length) return false;
    folder.resize(slash);
  }
}

std::string against_cgroups(const std::string& process, const KernelFolders& folders) {
  const auto text = read_text(process + "/cgroup");
  if (!text) return "";
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {  // "4:pids:/user.slice", "0::/user.slice"
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool unified = names == ",,";
    if (!unified && names.find(",pids,") == std::string::npos) continue;
    const std::string mount = folders.cgroups + (unified ? "" : "/pids");
    const std::string path = line.substr(second + 1);
    if (near_pids_limit(mount + (path == "/" ? "" : path), mount.size())) {
      return "its cgroup is near its limit of processes";
    }
  }
  return "";
}

// The first write after a copy takes a page of its own, as long as the copy lives.
std::string against_memory(int32_t pid, uint64_t resident_bytes, const KernelFolders& folders) {
  const auto sample = MemoryLimit(pid, {folders.cgroups, folders.proc}).read();
  if (!sample) return "its memory limit cannot be read";
  return sample->limit_bytes - std::min(sample->limit_bytes, sample->used_bytes) < resident_bytes
             ? "memory is short"
             : "";
}

bool is_harmless_device(std::string_view path) {
  for (const std::string_view known : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                       "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/console"}) {
    if (path == known) return true;
  }
  return path.starts_with("/dev/pts/") || path.starts_with("/dev/shm/") ||
         path.starts_with("/dev/tty");
}

std::string against_descriptors(const std::string& process) {
  std::vector<std::string> descriptors;
  if (!list_folder(process + "/fd", kMostDescriptors, descriptors)) {
    return "its descriptors cannot be looked at";
  }
  for (const std::string& descriptor : descriptors) {
    const std::string target = read_link(process + "/fd/" + descriptor);
    if (target.empty()) continue;  // just closed
    const std::string_view path(target);
    if (path == "anon_inode:[userfaultfd]") return "it handles its page faults itself";
    if (path.starts_with("/dev/") && !is_harmless_device(path)) return "it has devices open";
    if (!path.starts_with("/") || path.starts_with("/dev/")) continue;
    const auto info = read_text(process + "/fdinfo/" + descriptor);
    const auto line = info ? line_after(*info, "flags:") : std::nullopt;
    if (!line) continue;
    const size_t start = std::min(line->find_first_not_of(" \t"), line->size());
    unsigned flags = 0;
    std::from_chars(line->data() + start, line->data() + line->size(), flags, 8);
    if ((flags & O_DIRECT) != 0) return "it has files open for direct input and output";
  }
  return "";
}

}  // namespace

std::string reason_against_waiting(int32_t pid, const KernelFolders& folders) {
  return against_threads(folders.proc + "/" + std::to_string(pid), against_filters);
}

std::string reason_against_copy(int32_t pid, uint64_t resident_bytes,
                                const KernelFolders& folders) {
  const std::string process = folders.proc + "/" + std::to_string(pid);
  std::string reason = against_threads(process, against_thread);
  if (reason.empty()) reason = against_limits(process, folders);
  if (reason.empty()) reason = against_cgroups(process, folders);
  if (reason.empty()) reason = against_memory(pid, resident_bytes, folders);
  if (reason.empty()) reason = against_descriptors(process);
  return reason;
}

}  // namespace memlens::collector

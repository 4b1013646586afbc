#include "interposer/collector/memory_limit.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

namespace memlens::collector {
namespace {

constexpr int64_t kLookIntervalNs = 100'000'000;
// After a kill, until what is used counts again.
constexpr int64_t kToldWithinNs = 2'000'000'000;
// A process of a large tree in a cgroup of its own each: they are not all looked at.
constexpr size_t kMaxLimits = 16;
// What the first version of cgroups shows where there is no limit is somewhere near 2^63.
constexpr uint64_t kNoLimit = uint64_t{1} << 60;

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

// "max" and the like are no number.
std::optional<uint64_t> read_number(const std::string& path) {
  const std::optional<std::string> text = read_file(path);
  if (!text || text->empty() || (*text)[0] < '0' || (*text)[0] > '9') return std::nullopt;
  return strtoull(text->c_str(), nullptr, 10);
}

// The number after a word at the beginning of a line.
std::optional<uint64_t> read_entry(const std::string& path, const std::string& word) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, word.size(), word) != 0 || line.size() <= word.size()) continue;
    if (line[word.size()] != ' ' && line[word.size()] != ':') continue;
    return strtoull(line.c_str() + word.size() + 1, nullptr, 10);
  }
  return std::nullopt;
}

}  // namespace

MemoryLimit::MemoryLimit(int32_t pid, const Folders& folders) : folder_(folders.proc) {
  std::ifstream memberships(folders.proc + "/" + std::to_string(pid) + "/cgroup");
  for (std::string line; std::getline(memberships, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers == ",,") {
      consider(folders.cgroups, path, 2);
      consider(folders.cgroups + "/unified", path, 2);
    } else if (controllers.find(",memory,") != std::string::npos) {
      consider(folders.cgroups + "/memory", path, 1);
    }
  }
}

std::optional<uint64_t> MemoryLimit::limit_in(const std::string& folder, int version) const {
  const std::optional<uint64_t> limit =
      read_number(folder + (version == 2 ? "/memory.max" : "/memory.limit_in_bytes"));
  return limit && *limit < kNoLimit ? limit : std::nullopt;
}

// Of the cgroup and all above it, as far as they are seen from here: in a container the mount is
// the container's own, and the path may be the host's.
void MemoryLimit::consider(const std::string& mount, const std::string& path, int version) {
  std::string rest = path;
  for (;;) {
    while (!rest.empty() && rest.back() == '/') rest.pop_back();
    const std::string folder = mount + rest;
    if (const auto limit = limit_in(folder, version); limit && *limit < limit_bytes_) {
      limit_bytes_ = *limit;
      folder_ = folder;
      version_ = version;
    }
    const size_t slash = rest.rfind('/');
    if (slash == std::string::npos) return;
    rest.resize(slash);
  }
}

std::optional<LimitSample> MemoryLimit::read() const {
  LimitSample sample;
  if (version_ == 0) {
    constexpr uint64_t kKilobyte = 1024;
    const auto total = read_entry(folder_ + "/meminfo", "MemTotal");
    const auto available = read_entry(folder_ + "/meminfo", "MemAvailable");
    if (!total || !available || *available > *total) return std::nullopt;
    sample.limit_bytes = *total * kKilobyte;
    sample.used_bytes = (*total - *available) * kKilobyte;
    sample.kills = read_entry(folder_ + "/vmstat", "oom_kill").value_or(0);
    return sample;
  }
  const bool second = version_ == 2;
  const auto limit = limit_in(folder_, version_);  // it may be changed at any time
  const auto used = read_number(folder_ + (second ? "/memory.current" : "/memory.usage_in_bytes"));
  if (!limit || !used) return std::nullopt;
  sample.limit_bytes = *limit;
  sample.used_bytes = *used;
  sample.kills =
      read_entry(folder_ + (second ? "/memory.events" : "/memory.oom_control"), "oom_kill")
          .value_or(0);
  return sample;
}

void LimitWatch::update(const std::vector<WatchedProcess>& living, int64_t now_ns) {
  for (const WatchedProcess& process : living) {
    if (process.host_pid == 0 || processes_.contains(process.process)) continue;
    MemoryLimit limit(process.host_pid, folders_);
    const std::string folder = limit.folder();
    if (!limits_.contains(folder)) {
      if (limits_.size() >= kMaxLimits) continue;
      Known known{std::move(limit), {}};
      known.last = known.limit.read().value_or(LimitSample{});
      known.kills = known.last.kills;
      limits_.emplace(folder, std::move(known));
    }
    processes_[process.process] = {folder, limits_.at(folder).kills};
  }
  if (now_ns < next_look_ns_) return;
  next_look_ns_ = now_ns + kLookIntervalNs;
  if (living.empty()) return;  // what is used now says nothing about the time before
  for (auto& [folder, known] : limits_) {
    const std::optional<LimitSample> sample = known.limit.read();
    if (!sample) continue;
    known.kills = sample->kills;
    // What was used after a kill is not what led to it; those it ended are told of at once.
    if (sample->kills == known.last.kills || now_ns - known.killed_ns > kToldWithinNs) {
      known.last = *sample;
      known.killed_ns = INT64_MAX;
    } else if (known.killed_ns == INT64_MAX) {
      known.killed_ns = now_ns;
    }
  }
}

std::optional<LimitWatch::Ending> LimitWatch::ended(uint32_t process) {
  const auto member = processes_.find(process);
  if (member == processes_.end()) return std::nullopt;
  const Known& known = limits_.at(member->second.folder);
  Ending ending{known.last, known.limit.is_cgroup()};
  const std::optional<LimitSample> now = known.limit.read();
  const uint64_t kills = std::max(known.kills, now ? now->kills : 0);
  ending.sample.kills = kills - std::min(kills, member->second.kills_before);
  processes_.erase(member);
  if (ending.sample.limit_bytes == 0) return std::nullopt;
  return ending;
}

}  // namespace memlens::collector

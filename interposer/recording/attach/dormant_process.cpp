#include "interposer/recording/attach/dormant_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "interposer/attach/remote_process.h"
#include "interposer/recording/run_error.h"
#include "interposer/segment/layout.h"

namespace memlens::recording {
namespace {

using attach::proc_path;
using segment::GateRequest;

struct MappedGate {
  uint64_t inode = 0;  // 0: there is none
  std::string range;   // "7f…-7f…", as /proc/<pid>/map_files names it
};

MappedGate mapped_gate(pid_t pid) {
  std::ifstream maps(proc_path(pid, "maps"));
  for (std::string line; std::getline(maps, line);) {
    if (line.find(std::string("/memfd:") + segment::kGateName) == std::string::npos) continue;
    MappedGate gate;
    gate.range = line.substr(0, line.find(' '));
    if (sscanf(line.c_str(), "%*s %*s %*s %*s %" SCNu64, &gate.inode) == 1) return gate;
  }
  return {};
}

bool is_inode(int fd, uint64_t inode) {
  struct stat status {};
  return fstat(fd, &status) == 0 && status.st_ino == inode;
}

// By the descriptor the process has of it, wherever it has moved; or, where it has closed all, by
// the mapping itself, which takes a capability.
int open_gate_of(pid_t pid, const MappedGate& gate) {
  const std::string directory_path = proc_path(pid, "fd");
  if (DIR* directory = opendir(directory_path.c_str())) {
    while (const dirent* entry = readdir(directory)) {
      const std::string path = directory_path + "/" + entry->d_name;
      char target[64];
      const ssize_t length = readlink(path.c_str(), target, sizeof target - 1);
      if (length <= 0 || strstr((target[length] = '\0', target), segment::kGateName) == nullptr) {
        continue;
      }
      const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
      if (fd >= 0 && is_inode(fd, gate.inode)) {
        closedir(directory);
        return fd;
      }
      if (fd >= 0) close(fd);
    }
    closedir(directory);
  }
  return open(proc_path(pid, "map_files/" + gate.range).c_str(), O_RDWR | O_CLOEXEC);
}

uint64_t seccomp_filters_of(pid_t pid) {
  return strtoull(attach::status_field(pid, "Seccomp_filters").c_str(), nullptr, 10);
}

// What the process calls itself, in its own pid namespace.
int own_number_of(pid_t pid) { return attach::innermost_number(proc_path(pid, "status"), pid); }

}  // namespace

bool DormantProcess::has_gate(pid_t pid) { return mapped_gate(pid).inode != 0; }

DormantProcess::DormantProcess(pid_t pid) : pid_(pid) {
  const std::string name = "process " + std::to_string(pid);
  const MappedGate mapped = mapped_gate(pid);
  fd_ = open_gate_of(pid, mapped);
  if (fd_ < 0) {
    throw RunError(kOwnFailure,
                   name + " waits to be attached to, but its descriptor for that is " +
                       (errno == EACCES || errno == EPERM ? "closed or not ours" : "closed") +
                       "; attach as root");
  }
  if (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    close(fd_);
    throw RunError(kOwnFailure, "another memlens is attached to " + name +
                                    "; end that one with `memlens detach " + std::to_string(pid) +
                                    "` first");
  }
  void* page = mmap(nullptr, segment::kGateBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (page == MAP_FAILED) {
    close(fd_);
    throw RunError(kOwnFailure, "cannot map the shared page of " + name + ": " + strerror(errno));
  }
  gate_ = static_cast<segment::Gate*>(page);
  std::string problem;
  if (gate_->magic != segment::kGateMagic || gate_->layout_version != segment::kLayoutVersion) {
    problem = name + " has loaded the library of another version of memlens; use that version's";
  } else if (gate_->pid != own_number_of(pid)) {
    // Made by fork behind libc's back: it makes a gate of its own when its hooks find this out.
    gate_->mode.store(segment::HookMode::kLook);
    problem = name + " has just been forked and is not ready; try again";
  }
  if (problem.empty() && seccomp_filters_of(pid) > gate_->seccomp_filters) {
    problem = name +
              " has put itself under a seccomp filter since it started, which may end it for "
              "joining a recording; nothing was changed. Record it from its start: memlens run";
  }
  if (!problem.empty()) {
    munmap(page, segment::kGateBytes);
    close(fd_);
    throw RunError(kOwnFailure, problem);
  }
}

DormantProcess::~DormantProcess() {
  munmap(gate_, segment::kGateBytes);
  close(fd_);
}

void DormantProcess::ask(const std::string& description) {
  description_ = description;
  std::memset(gate_->description, 0, sizeof gate_->description);
  description.copy(gate_->description, sizeof gate_->description - 1);
  gate_->request.store(GateRequest::kAsked, std::memory_order_release);
  gate_->mode.store(segment::HookMode::kLook);
}

DormantProcess::Answer DormantProcess::look() {
  constexpr int kBusyRounds = 1000;
  switch (gate_->request.load(std::memory_order_acquire)) {
    case GateRequest::kJoined:
      return Answer::kJoined;
    case GateRequest::kRefused:
      return Answer::kRefused;
    case GateRequest::kBusy:
      if (++busy_rounds_ > kBusyRounds) return Answer::kRefused;
      ask(description_);
      return Answer::kNoneYet;
    case GateRequest::kAsked:
      // Its hooks may have chosen another mode just when we set ours.
      gate_->mode.store(segment::HookMode::kLook);
      return Answer::kNoneYet;
    default:
      return Answer::kNoneYet;
  }
}

std::string DormantProcess::reason() const {
  return std::string(gate_->answer, strnlen(gate_->answer, sizeof gate_->answer));
}

bool DormantProcess::withdraw() {
  GateRequest asked = GateRequest::kAsked;
  return gate_->request.compare_exchange_strong(asked, GateRequest::kNone) ||
         asked == GateRequest::kBusy || asked == GateRequest::kRefused ||
         asked == GateRequest::kNone;
}

}  // namespace memlens::recording

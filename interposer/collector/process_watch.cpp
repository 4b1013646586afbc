#include "interposer/collector/process_watch.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "interposer/collector/process_files.h"

namespace memlens::collector {

using segment::ProcessSlot;

namespace {

// How long a dead process's status is waited for: its parent has to reap it first.
constexpr int64_t kStatusPatienceNs = 50'000'000;
// A process in another pid namespace is looked for this often before it counts as dead.
constexpr int kMaxFailedLookups = 3;

// The kernel's struct pidfd_info and its ioctl (Linux 6.15 for the exit status); older headers do
// not have them, and an older kernel refuses the call.
struct PidfdInfo {
  uint64_t mask;
  uint64_t cgroup;
  uint32_t ids[11];  // pid, tgid, ppid, and eight user and group ids
  int32_t exit_status;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr uint64_t kPidfdInfoExit = 8;
constexpr unsigned long kPidfdGetInfo = _IOWR(0xFF, 11, PidfdInfo);

ExitStatus from_wait_status(int status) {
  ExitStatus result;
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

}  // namespace

ProcessWatch::ProcessWatch(segment::SegmentHeader* segment)
    : segment_(segment),
      own_namespace_(pid_namespace_of(0)),
      slot_watched_(segment::kMaxProcesses, false) {}

ProcessWatch::~ProcessWatch() {
  for (const WatchedProcess& process : living_) {
    if (process.pidfd >= 0) close(process.pidfd);
  }
}

void ProcessWatch::child_ended(const ExitStatus& status) { child_status_ = status; }

bool ProcessWatch::is_tracked(int32_t host_pid) const {
  return std::any_of(living_.begin(), living_.end(), [host_pid](const WatchedProcess& process) {
    return process.host_pid == host_pid;
  });
}

void ProcessWatch::open_pidfd(WatchedProcess& process) {
  const bool ours = process.pid_namespace == own_namespace_ || process.pid_namespace == 0;
  process.host_pid = ours ? process.pid : find_host_pid(process.pid, process.pid_namespace);
  if (process.host_pid == 0) {
    if (++process.failed_lookups >= kMaxFailedLookups) process.ended = true;
    return;
  }
  process.pidfd = static_cast<int>(syscall(SYS_pidfd_open, process.host_pid, 0));
  if (process.pidfd < 0 && errno == ESRCH) process.ended = true;
}

void ProcessWatch::find_new_slots() {
  const uint32_t next = segment_->next_process.load(std::memory_order_acquire);
  if (next == known_processes_ && pending_slots_ == 0) return;
  known_processes_ = next;
  pending_slots_ = 0;
  for (uint32_t i = 0; i < segment::kMaxProcesses; ++i) {
    const ProcessSlot& slot = segment_->processes[i];
    const uint32_t state = slot.state.load(std::memory_order_acquire);
    if (state == segment::kSlotClaimed) ++pending_slots_;
    if (state != segment::kSlotLive || slot_watched_[i]) continue;
    slot_watched_[i] = true;
    WatchedProcess process;
    process.slot = i;
    process.process = slot.process;
    process.pid = slot.pid;
    process.pid_namespace = slot.pid_namespace;
    for (WatchedProcess& older : living_) {
      if (older.pid == process.pid && older.pid_namespace == process.pid_namespace) {
        // Slots are reused in any order; indices only grow.
        (older.process < process.process ? older : process).replaced = true;
      }
    }
    open_pidfd(process);
    living_.push_back(process);
  }
}

// Whether how the process ended is known, or will not be.
bool ProcessWatch::status_is_final(WatchedProcess& process, int64_t now_ns) const {
  if (process.host_pid == child_pid_ && child_pid_ != 0) {
    if (child_status_) process.status = *child_status_;
    return child_status_.has_value();
  }
  PidfdInfo info{};
  info.mask = kPidfdInfoExit;
  if (process.pidfd < 0 || ioctl(process.pidfd, kPidfdGetInfo, &info) != 0) return true;
  if ((info.mask & kPidfdInfoExit) != 0) {
    process.status = from_wait_status(info.exit_status);
    return true;
  }
  return now_ns - process.ended_ns > kStatusPatienceNs;
}

bool ProcessWatch::has_ended(WatchedProcess& process, bool pidfd_readable, int64_t now_ns) {
  if (process.replaced) return true;
  if (pidfd_readable) process.ended = true;
  if (process.pidfd < 0 && !process.ended) open_pidfd(process);
  // A kernel or a sandbox without pidfds, or no descriptor left for one.
  if (process.pidfd < 0 && !process.ended && process.host_pid != 0) {
    process.ended = !is_running(process.host_pid);
  }
  if (!process.ended) return false;
  if (process.ended_ns == 0) process.ended_ns = now_ns;
  return status_is_final(process, now_ns);
}

std::vector<WatchedProcess> ProcessWatch::update(int64_t now_ns) {
  find_new_slots();
  std::vector<pollfd> polled;
  for (const WatchedProcess& process : living_) polled.push_back({process.pidfd, POLLIN, 0});
  if (poll(polled.data(), polled.size(), 0) < 0) return {};
  std::vector<WatchedProcess> ended;
  std::vector<WatchedProcess> still_living;
  for (size_t i = 0; i < living_.size(); ++i) {
    const bool readable = (polled[i].revents & POLLIN) != 0;
    const bool over = has_ended(living_[i], readable, now_ns);
    (over ? ended : still_living).push_back(living_[i]);
  }
  living_ = std::move(still_living);
  return ended;
}

void ProcessWatch::free_slot(const WatchedProcess& ended) {
  if (ended.pidfd >= 0) close(ended.pidfd);
  ProcessSlot& slot = segment_->processes[ended.slot];
  slot.process = 0;
  slot.pid = 0;
  slot.pid_namespace = 0;
  slot_watched_[ended.slot] = false;
  slot.state.store(segment::kSlotFree, std::memory_order_release);
}

}  // namespace memlens::collector

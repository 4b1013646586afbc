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
#include "interposer/platform/clock.h"
#include "interposer/platform/pidfd.h"

namespace memlens::collector {

using segment::ProcessSlot;

namespace {

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
      first_ticks_(platform::read_ticks()),
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
  process.pidfd = platform::open_pidfd(process.host_pid);
  if (process.pidfd < 0 && errno == ESRCH) process.ended = true;
}

// Of what a program makes of a slot it takes; anything else is a stray write. A slot that names the
// collector itself would keep it waiting for its own end.
bool ProcessWatch::is_plausible(const WatchedProcess& process) const {
  const bool collector = process.pid == getpid() &&
                         (process.pid_namespace == own_namespace_ || process.pid_namespace == 0);
  return process.process != 0 && !collector && process.birth_ticks >= first_ticks_ &&
         process.birth_ticks <= platform::read_ticks();
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
    WatchedProcess process;
    process.slot = i;
    process.process = slot.process;
    process.pid = slot.pid;
    process.pid_namespace = slot.pid_namespace;
    process.birth_ticks = slot.birth_ticks;
    process.alive_ticks = std::min(process.birth_ticks, look_ticks_);
    if (!is_plausible(process)) continue;
    slot_watched_[i] = true;
    ++processes_seen_;
    for (WatchedProcess& older : living_) {
      if (older.pid == process.pid && older.pid_namespace == process.pid_namespace) {
        // Slots are reused in any order; indices only grow.
        const bool older_image = older.process < process.process;
        WatchedProcess& replaced = older_image ? older : process;
        replaced.replaced = true;
        replaced.replaced_ticks = older_image ? process.birth_ticks : older.birth_ticks;
      }
    }
    open_pidfd(process);
    living_.push_back(process);
  }
}

// Whether how the process ended is known, or will not be. Asked until the kernel lets go of it: its
// parent may take its time to wait for it.
bool ProcessWatch::status_is_final(WatchedProcess& process) const {
  if (process.replaced) return true;
  if (process.host_pid == child_pid_ && child_pid_ != 0) {
    if (child_status_) process.status = *child_status_;
    return child_status_.has_value();
  }
  const ProcessSlot& slot = segment_->processes[process.slot];
  if (slot.reaped_ticks.load(std::memory_order_acquire) != 0) {
    process.status = from_wait_status(static_cast<int>(slot.reaped_status.load()));
    return true;
  }
  PidfdInfo info{};
  info.mask = kPidfdInfoExit;
  if (process.pidfd >= 0 && ioctl(process.pidfd, kPidfdGetInfo, &info) == 0 &&
      (info.mask & kPidfdInfoExit) != 0) {
    process.status = from_wait_status(info.exit_status);
    return true;
  }
  const Zombie zombie = look_at_zombie(process.host_pid);
  if (zombie.wait_status) {
    process.status = from_wait_status(*zombie.wait_status);
    return true;
  }
  if (slot.end_ticks.load(std::memory_order_acquire) != 0) {
    process.status = from_wait_status(static_cast<int>(slot.end_status.load()));
    return true;
  }
  return !zombie.exists;
}

void ProcessWatch::find_end_time(WatchedProcess& process) const {
  const uint64_t now = platform::read_ticks();
  const ProcessSlot& slot = segment_->processes[process.slot];
  // Each is read once: the memory is the programs' to damage, and so are the moments it names.
  const uint64_t reaped = slot.reaped_ticks.load(std::memory_order_acquire);
  const uint64_t last_word = slot.end_ticks.load(std::memory_order_acquire);
  uint64_t latest = process.replaced ? process.replaced_ticks : now;
  if (reaped > process.alive_ticks && reaped < latest) latest = reaped;
  const bool said = last_word != 0 && last_word <= latest;
  process.end_ticks = said ? last_word : latest;
  process.earliest_end_ticks =
      said || process.replaced ? process.end_ticks : std::min(process.alive_ticks, latest);
}

void ProcessWatch::look_for_end(WatchedProcess& process) {
  if (process.ended) return;
  process.ended = process.replaced;
  if (process.pidfd < 0 && !process.ended) open_pidfd(process);
  // A kernel or a sandbox without pidfds, or no descriptor left for one.
  if (process.pidfd < 0 && !process.ended && process.host_pid != 0) {
    process.ended = !is_running(process.host_pid);
  }
  if (!process.ended) process.alive_ticks = look_ticks_;
}

// In groups: poll() takes no more descriptors at a time than a process may have.
void ProcessWatch::poll_pidfds() {
  constexpr size_t kGroup = 256;
  std::vector<pollfd> polled;
  for (size_t start = 0; start < living_.size(); start += kGroup) {
    polled.clear();
    const size_t end = std::min(living_.size(), start + kGroup);
    for (size_t i = start; i < end; ++i) {
      polled.push_back({living_[i].ended ? -1 : living_[i].pidfd, POLLIN, 0});
    }
    if (poll(polled.data(), polled.size(), 0) <= 0) continue;
    for (size_t i = start; i < end; ++i) {
      if ((polled[i - start].revents & POLLIN) != 0) living_[i].ended = true;
    }
  }
}

std::vector<WatchedProcess> ProcessWatch::take_ended(bool all) {
  std::vector<WatchedProcess> ended;
  std::vector<WatchedProcess> rest;
  for (WatchedProcess& process : living_) {
    const bool over = process.ended && (status_is_final(process) || all);
    if (process.ended && process.end_ticks == 0) find_end_time(process);
    (over ? ended : rest).push_back(process);
  }
  living_ = std::move(rest);
  return ended;
}

std::vector<WatchedProcess> ProcessWatch::update() {
  look_ticks_ = platform::read_ticks();
  find_new_slots();
  poll_pidfds();
  for (WatchedProcess& process : living_) look_for_end(process);
  return take_ended(/*all=*/false);
}

std::vector<WatchedProcess> ProcessWatch::finish() {
  std::vector<WatchedProcess> ended = update();
  for (WatchedProcess& process : take_ended(/*all=*/true)) ended.push_back(process);
  return ended;
}

bool ProcessWatch::any_alive() const {
  return std::any_of(living_.begin(), living_.end(),
                     [](const WatchedProcess& process) { return !process.ended; });
}

bool ProcessWatch::holds_chunk(uint32_t slot) const {
  return std::ranges::any_of(segment_->chunk_words, [slot](const std::atomic<uint32_t>& word) {
    const uint32_t value = word.load(std::memory_order_acquire);
    return segment::chunk_state(value) != segment::kFree && segment::chunk_slot(value) == slot;
  });
}

// A slot is the programs' to damage, and may name anybody: another user's process, or the machine's
// first, whose maps are not ours to read. One of this recording was started after us, by our child
// or what that started. Where we have none, but were started by the program, that one is older; it
// has a chunk of its own.
bool ProcessWatch::is_stranger(const WatchedProcess& process, uint64_t segment_inode) const {
  const Mapped mapped = has_mapped(process.host_pid, segment_inode);
  if (mapped != Mapped::kUnreadable) return mapped == Mapped::kNo;
  const auto started = start_time(process.host_pid);
  const auto own = start_time(0);
  const bool may_be_older = child_pid_ == 0 && holds_chunk(process.slot);
  return started && own && *started < *own && !may_be_older;
}

void ProcessWatch::drop_strangers(uint64_t segment_inode) {
  for (WatchedProcess& process : living_) {
    if (process.host_pid == 0 || process.ended) continue;
    if (is_stranger(process, segment_inode)) process.ended = true;
  }
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

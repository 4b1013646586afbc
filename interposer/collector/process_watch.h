// Knows which recorded processes live: a pidfd for each slot registered in the segment.
//
// Not kill(pid, 0): it finds a zombie alive and another process that got the number. A slot also
// ends when its process image is replaced by exec: the new image registers a slot of its own under
// the same pid.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "interposer/segment/layout.h"

namespace memlens::collector {

// How a process ended, where that is known.
struct ExitStatus {
  std::optional<int> exit_code;
  std::optional<int> signal;
};

struct WatchedProcess {
  uint32_t slot = 0;
  uint32_t process = 0;  // session-wide index
  int32_t pid = 0;       // as the process sees itself
  int32_t host_pid = 0;  // as we see it; 0: not found yet
  uint64_t pid_namespace = 0;
  uint64_t birth_ticks = 0;
  uint32_t signal_marks = 0;  // of its slot's, those that are in the capture
  int pidfd = -1;
  int failed_lookups = 0;
  bool replaced = false;  // by exec
  bool ended = false;
  uint64_t replaced_ticks = 0;  // when the new image began
  uint64_t alive_ticks = 0;     // when it was last seen alive
  // When it ended: then, or, where earliest_end_ticks is another moment, no later than then.
  uint64_t end_ticks = 0;
  uint64_t earliest_end_ticks = 0;
  ExitStatus status;
};

class ProcessWatch {
 public:
  explicit ProcessWatch(segment::SegmentHeader* segment);
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  // Looks for new slots and for deaths, and returns the processes that ended since the last call
  // and whose status is known, or will not be. The caller drains their chunks and then calls
  // free_slot().
  std::vector<WatchedProcess> update();
  // The last update: those that are dead by now and wait for their status as well.
  std::vector<WatchedProcess> finish();
  void free_slot(const WatchedProcess& ended);

  // The direct child's status comes from waiting for it, which only its parent can do.
  void set_child(int32_t pid) { child_pid_ = pid; }
  void child_ended(const ExitStatus& status);

  // Those too that are dead and have not been returned.
  const std::vector<WatchedProcess>& living() const { return living_; }
  std::vector<WatchedProcess>& living() { return living_; }
  bool any_alive() const;
  // Ends the watch over processes that are none of this recording's, or not any longer: what a slot
  // names has not got `segment_inode` mapped; or, where we may not see what it has mapped, is older
  // than we are and holds no chunk. Looks at each process's maps, so call it seldom.
  void drop_strangers(uint64_t segment_inode);
  uint32_t processes_seen() const { return processes_seen_; }
  // Slots taken by a process that has not filled them in yet, or taken since the last update.
  bool registration_pending() const {
    return pending_slots_ != 0 ||
           segment_->next_process.load(std::memory_order_acquire) != known_processes_;
  }
  bool is_tracked(int32_t host_pid) const;

 private:
  void find_new_slots();
  bool is_plausible(const WatchedProcess& process) const;
  void open_pidfd(WatchedProcess& process);
  void poll_pidfds();
  bool is_stranger(const WatchedProcess& process, uint64_t segment_inode) const;
  bool holds_chunk(uint32_t slot) const;
  void look_for_end(WatchedProcess& process);
  void find_end_time(WatchedProcess& process) const;
  bool status_is_final(WatchedProcess& process) const;
  std::vector<WatchedProcess> take_ended(bool all);

  segment::SegmentHeader* segment_;
  uint64_t own_namespace_;
  uint64_t first_ticks_;          // no process joined before
  uint32_t known_processes_ = 1;  // value of next_process at the last look
  uint32_t pending_slots_ = 0;
  uint32_t processes_seen_ = 0;
  uint64_t look_ticks_ = 0;  // just before the latest look at who lives
  int32_t child_pid_ = 0;
  std::optional<ExitStatus> child_status_;
  std::vector<WatchedProcess> living_;
  std::vector<bool> slot_watched_;
};

}  // namespace memlens::collector

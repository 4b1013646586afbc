// When processes are asked what their allocators hold free, and what that may cost: who asks makes
// a copy of the process (interposer/allocator_statistics/), which is worth it in large ones alone,
// and no more often than a hundredth of its time pays for.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "interposer/collector/process_watch.h"
#include "interposer/segment/layout.h"

namespace memlens::collector {

class AllocatorQuestions {
 public:
  explicit AllocatorQuestions(segment::SegmentHeader* segment) : segment_(segment) {}

  // What a process had in memory just now. `now_ns`: CLOCK_MONOTONIC.
  void saw(const WatchedProcess& process, uint64_t resident_bytes, int64_t now_ns);
  // Somebody named this moment from outside.
  void want(const WatchedProcess& process);
  // From now on none is made any more.
  void end() { ended_ = true; }
  // Whether one is there that its process will come by for.
  bool copies_are_out(const std::vector<WatchedProcess>& living) const;
  // Answers those that ask whether they may.
  void answer(const std::vector<WatchedProcess>& living, int64_t now_ns);

  // Why large processes were not asked, each reason once: "process 4711 was not asked what its
  // allocators hold free: it filters its system calls". Since the last call.
  std::vector<std::string> take_notes();

 private:
  struct Known {
    int64_t first_ns = 0;
    double spent_ns = 0;  // as estimated, or what it really was, if that was more
    double last_copy_ns = 0;
    uint64_t asked_bytes = 0;  // in memory when last asked
    uint64_t seen_bytes = 0;   // in memory when last seen
    // What the program was thought to pay in faults after the last copy, the faults it had had
    // before, and when what it really had is looked at; 0: it has been.
    double thought_ns = 0;
    uint64_t faults_before = 0;
    int64_t settle_ns = 0;
    int64_t next_ns = 0;     // to be asked by then, however little it has grown
    bool looked_at = false;  // `refusal` is of the last look
    std::string refusal;
  };

  Known& known(const WatchedProcess& process, int64_t now_ns);
  double budget_ns(const WatchedProcess& process, const Known& known, int64_t now_ns,
                   bool at_mark) const;
  // Of the copy itself, and of what the program then pays for it.
  double copy_ns(uint64_t resident_bytes) const;
  double cost_ns(uint64_t resident_bytes, bool at_end) const;
  bool may_ask(const WatchedProcess& process, uint32_t moment, int64_t now_ns);
  // Whether nothing speaks against it but perhaps its cost.
  bool look_at(const WatchedProcess& process, Known& known, uint64_t resident_bytes, bool at_end);
  static void pause(Known& known, int64_t now_ns);
  static void settle_faults(const WatchedProcess& process, Known& known, int64_t now_ns);
  void learn_cost(segment::StatisticsSlot& slot, Known& known);

  segment::SegmentHeader* segment_;
  bool ended_ = false;
  std::map<uint32_t, Known> processes_;  // by index
  double copy_ns_per_byte_ = 0;          // of the last copy
  std::set<std::string> reasons_;
  std::vector<std::string> notes_;
};

}  // namespace memlens::collector

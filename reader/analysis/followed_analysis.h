// The analysis of a capture that grows: each event is applied once, when it has come.
//
// A full pass over what there is (analyze()) takes what is missing for something that never was:
// a thread's chunk reaches the file when it is full, so the frees of its blocks may be there long
// before. Applied as they come, such events would be wrong for good. So events are applied up to a
// moment only before which every thread's are in the file. The collector names it (frames of kind
// kSoFar, FORMAT.md) whenever somebody asks, and writes the unfinished chunks along with it. What
// is later waits for the next time; the sums are those of a pass that ends at that moment
// (Query::to_seconds), and in the end those of a pass over the whole capture.
//
// Rejected: a pass over the whole file each time (its length is without bounds); taking what the
// chunks of shared memory hold (needs the same machine and user); a copy of the state from which
// the uncertain rest is applied for a look (an idle thread makes the rest grow without bounds).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "reader/analysis/accounts.h"
#include "reader/analysis/analysis.h"
#include "reader/analysis/live_visit.h"
#include "reader/analysis/site_list.h"
#include "reader/capture/capture.h"
#include "reader/capture/carried_order.h"
#include "reader/file/frame_index.h"

namespace memlens::reader {

class CaptureOpener;
struct FollowedProcess;
struct FollowedStream;

class FollowedAnalysis {
 public:
  // Throws CaptureError.
  explicit FollowedAnalysis(const std::string& path);
  ~FollowedAnalysis();
  FollowedAnalysis(const FollowedAnalysis&) = delete;
  FollowedAnalysis& operator=(const FollowedAnalysis&) = delete;

  // Looks at the file again and applies the events up to horizon_seconds(). Throws CaptureError.
  void update();
  // The same in steps: update() is look_again() and advance(infinity).
  void look_again();
  // Applies the events up to then, or to the horizon. False: that is as far as it goes.
  bool advance(double until_seconds);

  // As of the last look: what was run, its stacks, whether it is still being written.
  const Capture& capture() const { return capture_; }
  Capture& capture() { return capture_; }
  // How many nodes of stacks there are: with more of them there is more to resolve.
  size_t nodes_known() const;
  // Takes back what Capture::add_resolved() added, for another one with more in it.
  void forget_resolved();
  // Up to when all events were there at the last look.
  double horizon_seconds() const;
  // False: the recording does not say up to when it is there; sums can be a little off.
  bool is_exact() const;

  // What was applied until now, without timeline, growth and ranges. Costs in proportion to the
  // number of sites.
  Analysis so_far();
  uint64_t live_bytes() const { return accounts_.live_bytes(); }

  // ---- For who goes on with the recording in another file, as of what was applied.

  // Where that file begins.
  struct Continuation {
    struct Thread {
      uint32_t thread = 0;
      CarriedChunk chunk;
    };
    struct Process {
      uint32_t index = 0;
      CarriedEpoch order;
      std::vector<Thread> threads;
    };
    uint64_t ticks = 0;
    std::vector<Process> processes;  // that have not ended
  };
  // Nothing: this file's own carried blocks are not all applied.
  std::optional<Continuation> continuation() const;
  // All blocks of a process that are alive then.
  void visit_live(uint32_t process, const std::function<void(const LiveVisit&)>& visit) const;

 private:
  // A frame of events that was found and is not read yet.
  struct FoundFrame {
    FrameRef frame;
    bool has_waited = false;
  };

  void find_frames();
  void add_found(bool more_will_come);
  void add_frame(const FrameRef& frame);
  FollowedProcess& process_of(uint32_t index);
  FollowedStream& stream_of(uint32_t process, uint32_t thread);
  uint64_t horizon_ticks() const;

  Capture capture_;
  const CacheOptions no_cache_;
  std::unique_ptr<CaptureOpener> opener_;
  Accounts accounts_;
  // Everything is read by this one thread, whose time is little: a viewer beside the program.
  std::unique_ptr<class ChunkQueue> queue_;
  std::map<uint32_t, std::unique_ptr<FollowedProcess>> processes_;  // by index
  std::map<std::pair<uint32_t, uint32_t>, std::unique_ptr<FollowedStream>> streams_;
  std::vector<FoundFrame> found_;
  uint64_t complete_until_ = 0;           // so_far_ticks when frames were last added
  std::vector<StreamName> stream_names_;  // by the accounts' number of the stream
  uint64_t lost_events_ = 0;
};

}  // namespace memlens::reader

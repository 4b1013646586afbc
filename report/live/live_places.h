// The responsible lines of a recording that is under way, with what each held lately.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "reader/analysis/analysis.h"
#include "reader/capture/capture.h"
#include "report/view/code_origin.h"
#include "report/view/frame_tree.h"
#include "report/view/stack_list.h"

namespace memlens::report {

// What is looked at, a key each.
enum class LiveOrder : uint8_t { kHeld, kGrowth, kPeak, kAllocated, kTemporary };
inline constexpr LiveOrder kLiveOrders[] = {LiveOrder::kHeld, LiveOrder::kGrowth, LiveOrder::kPeak,
                                            LiveOrder::kAllocated, LiveOrder::kTemporary};

struct LivePlace {
  reader::Frame frame;
  reader::Tally held;           // now
  reader::Tally peak;           // at the peak of everything
  reader::Tally temporary;      // until now
  reader::Tally allocated;      // until now
  std::vector<uint64_t> curve;  // bytes held, oldest first, the last is now
  int64_t gained_bytes = 0;     // in LiveTotals::window_seconds
  double allocated_bytes_per_second = 0;
};

struct LiveTotals {
  double seconds = 0;  // of the moment all this is about
  reader::Totals totals;
  std::vector<uint64_t> curve;  // as LivePlace::curve
  double window_seconds = 0;    // what gains and rates are of: ten seconds, less at first
  int64_t gained_bytes = 0;
  double allocations_per_second = 0;
  double allocated_bytes_per_second = 0;
};

// Takes the sums at moments, keeps what a minute of them says. Memory follows the number of nodes
// and places, not time.
class LivePlaces {
 public:
  static constexpr size_t kMoments = 60;
  static constexpr double kWindowSeconds = 10;

  // Names and origins of frames are asked for once a stack, until forget_names().
  void set_frames(FramesOf frames_of) { frames_of_ = std::move(frames_of); }
  void forget_names();

  // The sums at a moment later than the last one.
  void add(const reader::CaptureInfo& info, const reader::Analysis& analysis, double seconds);

  const LiveTotals& totals() const { return totals_; }
  // Of a filter's text in function, file or source only; the first of the order first.
  std::vector<const LivePlace*> sorted(LiveOrder order, const std::string& filter) const;
  // Heaviest first means this number.
  static double weight(const LivePlace& place, LiveOrder order);

 private:
  struct Moment {
    double seconds;
    uint64_t held_bytes;
    uint64_t allocations;
    uint64_t allocated_bytes;
  };
  // Of a place at each moment, as moments_.
  struct History {
    std::deque<uint64_t> held;
    std::deque<uint64_t> allocated;
  };

  size_t place_of(const reader::Site& site);
  // The moment that the window begins at.
  size_t window_begin() const;

  FramesOf frames_of_;
  std::unique_ptr<CodeOrigins> origins_;
  size_t processes_known_ = 0;
  FrameTree tree_;
  std::unordered_map<uint64_t, size_t> place_of_node_;  // by process and node
  std::unordered_map<uint32_t, size_t> place_of_frame_;
  std::vector<LivePlace> places_;
  std::vector<History> histories_;                          // as places_
  std::unordered_map<std::string, History> old_histories_;  // by name, of before forget_names()
  std::deque<Moment> moments_;
  LiveTotals totals_;
};

}  // namespace memlens::report

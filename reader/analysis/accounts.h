// What the whole query sums up: sites, live bytes, the peak, the timeline, and the time itself.
//
// The peak. A site's share of the peak is what was alive of it at the moment live bytes were
// highest, and that moment is only known in the end. Copying all sites at each new maximum would
// cost their number for almost every event of a growing program. Instead each new maximum begins a
// new *peak epoch*, and a site's values are copied when they first change after it: until then they
// are what they were at the maximum. O(1) an event, exact.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "reader/analysis/growth.h"
#include "reader/analysis/range_recorder.h"
#include "reader/analysis/results.h"
#include "reader/analysis/sample_accounts.h"
#include "reader/analysis/site_table.h"
#include "reader/analysis/timeline.h"

namespace memlens::reader {

class Accounts {
 public:
  // The range of the query and of the timeline, in ticks.
  struct Range {
    uint64_t from_ticks = 0;
    uint64_t to_ticks = UINT64_MAX;
    uint64_t timeline_from_ticks = 0;
    uint64_t timeline_to_ticks = 0;
  };

  Accounts(const Range& range, uint32_t timeline_points);

  // Both keep sums by time as well. Call before the first event.
  void record_ranges(uint32_t buckets);
  // `last_end_ticks`: when the last process ends; UINT64_MAX: not known.
  void mark_growth(uint32_t marks, uint64_t last_end_ticks);
  // The last process did not end by itself.
  void tell_killed() {
    if (growth_) growth_->tell_killed();
  }
  // nullptr: not wanted.
  RangeRecorder* ranges() { return ranges_.get(); }

  // ---- time, which never goes back: events that come late happened "now"
  void set_time(uint64_t ticks) {
    if (ticks <= now_ticks_) return;
    now_ticks_ = ticks;
    if (__builtin_expect(ticks >= next_moment_ticks_, 0)) pass_moment();
  }
  // Blocks allocated now are in the range.
  bool in_range() const { return in_range_; }
  // The range is over: nothing that follows counts.
  bool finished() const { return finished_; }

  void set_order_exact(bool exact) { order_is_exact_ = exact; }

  // ---- live bytes
  void add_live(SiteAccount& site, uint64_t bytes, uint64_t blocks) {
    keep_peak(site);
    site.live_bytes += bytes;
    site.live_blocks += blocks;
    live_bytes_ += bytes;
    if (live_bytes_ > high_bytes_) {
      high_bytes_ = live_bytes_;
      if (live_bytes_ > peak_bytes_) start_peak_epoch();
    }
  }
  void remove_live(SiteAccount& site, uint64_t bytes, uint64_t blocks) {
    keep_peak(site);
    site.live_bytes -= bytes;
    site.live_blocks -= blocks;
    live_bytes_ -= bytes;
  }

  // The sites' process is gone; their live bytes are the caller's to remove.
  void end_sites(const std::vector<uint32_t>& sites) {
    if (growth_) growth_->end_sites(sites);
  }

  // Another peak epoch began since this was that number: the peak was in between.
  uint64_t peak_epoch() const { return peak_epoch_; }
  // The clock has not moved on since.
  bool peak_is_now() const { return peak_ticks_ == now_ticks_; }
  void mark_peak_inexact() { peak_is_exact_ = false; }
  // A process that may have ended before it is in the present peak.
  void mark_peak_may_count_ended() { peak_may_count_ended_ = true; }
  uint64_t peak_ticks() const { return peak_ticks_; }
  uint64_t now_ticks() const { return now_ticks_; }
  uint64_t live_bytes() const { return live_bytes_; }

  // ---- mappings, or what is left out of them
  uint32_t add_untouched(uint32_t process, uint32_t site, uint64_t bytes) {
    untouched_.push_back({process, site, bytes, now_ticks_, UINT64_MAX});
    return static_cast<uint32_t>(untouched_.size() - 1);
  }
  void end_untouched_account(uint32_t account) { untouched_[account].end_ticks = now_ticks_; }
  void reopen_untouched_account(uint32_t account) { untouched_[account].end_ticks = UINT64_MAX; }
  void end_untouched(uint32_t process) {
    for (UntouchedAccount& each : untouched_) {
      if (each.process == process && each.end_ticks == UINT64_MAX) each.end_ticks = now_ticks_;
    }
  }

  // ---- moments the program named, by process number and string id
  struct MarkAccount {
    uint64_t ticks;
    uint32_t process;
    uint32_t name;
  };
  void add_mark(uint32_t process, uint32_t name) {
    if (in_range_) marks_.push_back({now_ticks_, process, name});
  }
  const std::vector<MarkAccount>& marks() const { return marks_; }
  struct ShutdownAccount {
    uint64_t ticks;
    uint32_t process;
  };
  void add_shutdown(uint32_t process) {
    if (in_range_) shutdowns_.push_back({now_ticks_, process});
  }
  const std::vector<ShutdownAccount>& shutdowns() const { return shutdowns_; }

  // ---- sites and streams
  SiteTable& sites() { return sites_; }
  SampleAccounts& samples() { return samples_; }
  uint32_t add_stream() {
    allocation_counts_.push_back(0);
    return static_cast<uint32_t>(allocation_counts_.size() - 1);
  }
  // How many allocations a thread has made; wraps.
  uint32_t& allocation_count(uint32_t stream) { return allocation_counts_[stream]; }

  // Fills in what is known here: totals and timeline. The sites' own peaks are settled. Without a
  // timeline, ranges and growth events may follow, and another finish().
  void finish(const TickClock& clock, Analysis& analysis);

 private:
  void keep_peak(SiteAccount& site) const {
    if (site.peak_epoch == peak_epoch_) return;
    site.peak_epoch = peak_epoch_;
    site.peak_bytes = site.live_bytes;
    site.peak_blocks = site.live_blocks;
  }
  void start_peak_epoch() {
    ++peak_epoch_;
    peak_bytes_ = live_bytes_;
    peak_ticks_ = now_ticks_;
    peak_is_exact_ = order_is_exact_;
    peak_may_count_ended_ = false;
  }
  void pass_moment();
  RangeMatrix finish_ranges(const TickClock& clock);

  Range range_;
  uint32_t timeline_points_;
  Timeline timeline_;
  SiteTable sites_;
  SampleAccounts samples_;
  std::unique_ptr<RangeRecorder> ranges_;
  std::unique_ptr<GrowthMarks> growth_;
  std::vector<uint32_t> allocation_counts_;  // by stream
  std::vector<MarkAccount> marks_;
  std::vector<ShutdownAccount> shutdowns_;
  struct UntouchedAccount {
    uint32_t process;
    uint32_t site;
    uint64_t bytes;
    uint64_t begin_ticks;
    uint64_t end_ticks;
  };
  std::vector<UntouchedAccount> untouched_;
  uint64_t now_ticks_ = 0;
  uint64_t next_moment_ticks_ = 0;  // something is to be done when time comes to it
  uint64_t live_bytes_ = 0;
  uint64_t high_bytes_ = 0;  // since the timeline's current point began
  uint64_t peak_bytes_ = 0;
  uint64_t peak_epoch_ = 1;
  uint64_t peak_ticks_ = 0;
  bool peak_is_exact_ = true;
  bool peak_may_count_ended_ = false;
  bool order_is_exact_ = true;
  bool in_range_ = false;
  bool finished_ = false;
};

}  // namespace memlens::reader

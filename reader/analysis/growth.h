// What every site had still allocated at a few moments, evenly spaced from the first event to the
// last: enough to tell what grows from what is merely large.
//
// What a process held ends with it: at later marks it is nothing, although nobody freed it. The
// last mark is just before the last process ends, which takes what is still allocated with it.
// A program that puts away what it had, as destructors do, or ends process by process, had its say
// before: marks at which that was under way are left out, and what it freed is told beside them.
//
// The marks are made here, from the events' times, and not while recording: they are as many for a
// recording of days as for one of seconds, they cost the program nothing, and a part of a capture
// (--from, --to) has its own.
#pragma once

#include <cstdint>
#include <vector>

#include "reader/analysis/sample_accounts.h"
#include "reader/analysis/site_table.h"
#include "reader/events/tick_clock.h"

namespace memlens::reader {

class GrowthMarks {
 public:
  struct Axis {
    uint64_t from_ticks = 0;
    uint64_t to_ticks = 0;    // before the last process's end
    uint32_t marks = 0;       // they end as many equal parts of the time
    bool until_exit = false;  // to_ticks is where the programs end, not where somebody cut
  };
  explicit GrowthMarks(const Axis& axis);

  // The next mark's moment; UINT64_MAX: there is none.
  uint64_t next_ticks() const { return next_ticks_; }
  // Time has come to `ticks`.
  void set_time(uint64_t ticks, const SiteTable& sites, const SampleAccounts& samples);

  // Their process is gone: they hold nothing from now on.
  void end_sites(const std::vector<uint32_t>& sites);
  // The last process did not end by itself: whatever it freed before was no putting away.
  void tell_killed() { axis_.until_exit = false; }

  Growth finish(const TickClock& clock, const SiteTable& sites, const SampleAccounts& samples);

 private:
  struct SitePoint {
    uint32_t site = 0;
    GrowthPoint point;
  };

  static uint64_t live_bytes(const std::vector<SitePoint>& points);  // all that is at a mark
  uint64_t mark_ticks(size_t mark) const;
  // How many marks there are before the program puts away what it had.
  size_t marks_before_exit() const;
  void schedule();
  void add_mark(const SiteTable& sites, const SampleAccounts& samples);

  Axis axis_;
  uint64_t next_ticks_ = 0;
  std::vector<bool> ended_;                     // by site
  std::vector<std::vector<SitePoint>> points_;  // by mark: the few sites that have anything
};

}  // namespace memlens::reader

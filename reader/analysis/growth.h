// What every site had still allocated at a few moments, evenly spaced from the first event to the
// last: enough to tell what grows from what is merely large.
//
// What a process held ends with it: at later marks it is nothing, although nobody freed it. The
// last mark is just before the last process ends, which takes what is still allocated with it.
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
  // The marks end `marks` equal parts of the time; `to_ticks` is before the last process's end.
  GrowthMarks(uint64_t from_ticks, uint64_t to_ticks, uint32_t marks);

  // The next mark's moment; UINT64_MAX: there is none.
  uint64_t next_ticks() const { return next_ticks_; }
  // Time has come to `ticks`.
  void set_time(uint64_t ticks, const SiteTable& sites, const SampleAccounts& samples);

  // Their process is gone: they hold nothing from now on.
  void end_sites(const std::vector<uint32_t>& sites);

  Growth finish(const TickClock& clock, const SiteTable& sites, const SampleAccounts& samples);

 private:
  struct SitePoint {
    uint32_t site = 0;
    GrowthPoint point;
  };

  uint64_t mark_ticks(size_t mark) const;
  void schedule();
  void add_mark(const SiteTable& sites, const SampleAccounts& samples);

  uint64_t from_ticks_;
  uint64_t to_ticks_;
  uint32_t marks_;
  uint64_t next_ticks_ = 0;
  std::vector<bool> ended_;                     // by site
  std::vector<std::vector<SitePoint>> points_;  // by mark: the few sites that have anything
};

}  // namespace memlens::reader

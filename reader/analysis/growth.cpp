#include "reader/analysis/growth.h"

#include <algorithm>
#include <utility>

namespace memlens::reader {

GrowthMarks::GrowthMarks(uint64_t from_ticks, uint64_t to_ticks, uint32_t marks)
    : from_ticks_(from_ticks), to_ticks_(std::max(from_ticks, to_ticks)), marks_(marks) {
  schedule();
}

uint64_t GrowthMarks::mark_ticks(size_t mark) const {
  const double share = static_cast<double>(mark + 1) / static_cast<double>(marks_);
  return from_ticks_ + static_cast<uint64_t>(share * static_cast<double>(to_ticks_ - from_ticks_));
}

void GrowthMarks::set_time(uint64_t ticks, const SiteTable& sites, const SampleAccounts& samples) {
  while (ticks >= next_ticks_) {
    add_mark(sites, samples);
    schedule();
  }
}

// The last mark includes what happens at its moment.
void GrowthMarks::schedule() {
  const size_t mark = points_.size();
  next_ticks_ = mark >= marks_       ? UINT64_MAX
                : mark + 1 == marks_ ? mark_ticks(mark) + 1
                                     : mark_ticks(mark);
}

void GrowthMarks::end_sites(const std::vector<uint32_t>& sites) {
  for (const uint32_t site : sites) {
    if (site >= ended_.size()) ended_.resize(site + 1);
    ended_[site] = true;
  }
}

void GrowthMarks::add_mark(const SiteTable& sites, const SampleAccounts& samples) {
  std::vector<SitePoint>& points = points_.emplace_back();
  for (uint32_t i = 0; i < sites.size(); ++i) {
    const SampleAccounts::Account* account = samples.find(i);
    GrowthPoint point;
    if (i < ended_.size() && ended_[i]) {
      if (account != nullptr) point.freed_variance = Variance(account->allocated).bytes;
    } else {
      point.bytes = sites[i].allocated_bytes - sites[i].freed_bytes;
      point.blocks = sites[i].allocated_blocks - sites[i].freed_blocks;
      if (account != nullptr) {
        SampleVariance still = account->allocated;
        still -= account->freed;
        point.variance = static_cast<double>(still.bytes);
        point.freed_variance = static_cast<double>(account->freed.bytes);
      }
    }
    if (point != GrowthPoint{}) points.push_back({i, point});
  }
}

Growth GrowthMarks::finish(const TickClock& clock, const SiteTable& sites,
                           const SampleAccounts& samples) {
  while (points_.size() < marks_) add_mark(sites, samples);
  Growth growth;
  growth.sites.resize(sites.size());
  for (const std::vector<SitePoint>& points : points_) {
    for (const SitePoint& at : points) {
      if (at.point.bytes != 0) growth.sites[at.site].resize(marks_);
    }
  }
  for (size_t mark = 0; mark < marks_; ++mark) {
    growth.seconds.push_back(std::max(0.0, clock.seconds_at(mark_ticks(mark))));
    for (const SitePoint& at : points_[mark]) {
      if (std::vector<GrowthPoint>& site = growth.sites[at.site]; !site.empty()) {
        site[mark] = at.point;
      }
    }
  }
  return growth;
}

}  // namespace memlens::reader

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
  std::vector<GrowthPoint>& points = points_.emplace_back(sites.size());
  for (uint32_t i = 0; i < sites.size(); ++i) {
    if (i < ended_.size() && ended_[i]) {
      const SampleAccounts::Account* account = samples.find(i);
      if (account != nullptr) points[i].freed_variance = Variance(account->allocated).bytes;
      continue;
    }
    points[i].bytes = sites[i].allocated_bytes - sites[i].freed_bytes;
    points[i].blocks = sites[i].allocated_blocks - sites[i].freed_blocks;
    if (const SampleAccounts::Account* account = samples.find(i)) {
      SampleVariance still = account->allocated;
      still -= account->freed;
      points[i].variance = static_cast<double>(still.bytes);
      points[i].freed_variance = static_cast<double>(account->freed.bytes);
    }
  }
}

Growth GrowthMarks::finish(const TickClock& clock, const SiteTable& sites,
                           const SampleAccounts& samples) {
  while (points_.size() < marks_) add_mark(sites, samples);
  Growth growth;
  growth.sites.resize(sites.size());
  for (size_t mark = 0; mark < marks_; ++mark) {
    growth.seconds.push_back(std::max(0.0, clock.seconds_at(mark_ticks(mark))));
    points_[mark].resize(sites.size());
    for (size_t i = 0; i < sites.size(); ++i) growth.sites[i].push_back(points_[mark][i]);
  }
  return growth;
}

}  // namespace memlens::reader

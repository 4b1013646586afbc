#include "reader/analysis/growth.h"

#include <algorithm>
#include <span>
#include <utility>

namespace memlens::reader {
namespace {

// At most so many of the marks are a program's putting away what it had: one that takes longer does
// something else.
constexpr size_t kExitMarks = 2;
// Of what there was before, what is left when a program has put away what it had.
constexpr double kLeftAtExit = 0.5;
// Of what there was at the mark before: with more it has not begun to.
constexpr double kStillThere = 0.95;

}  // namespace

GrowthMarks::GrowthMarks(const Axis& axis) : axis_(axis) {
  axis_.to_ticks = std::max(axis_.from_ticks, axis_.to_ticks);
  schedule();
}

uint64_t GrowthMarks::mark_ticks(size_t mark) const {
  const double share = static_cast<double>(mark + 1) / static_cast<double>(axis_.marks);
  const auto whole = static_cast<double>(axis_.to_ticks - axis_.from_ticks);
  return axis_.from_ticks + static_cast<uint64_t>(share * whole);
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
  next_ticks_ = mark >= axis_.marks       ? UINT64_MAX
                : mark + 1 == axis_.marks ? mark_ticks(mark) + 1
                                          : mark_ticks(mark);
}

void GrowthMarks::end_sites(const std::vector<uint32_t>& sites) {
  for (const uint32_t site : sites) {
    if (site >= ended_.size()) ended_.resize(site + 1);
    ended_[site] = true;
  }
}

uint64_t GrowthMarks::live_bytes(const std::vector<SitePoint>& points) {
  uint64_t bytes = 0;
  for (const SitePoint& at : points) bytes += at.point.bytes;
  return bytes;
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

// It frees, or its processes end, until the end, and most of what it had then is gone.
size_t GrowthMarks::marks_before_exit() const {
  size_t kept = points_.size();
  if (!axis_.until_exit) return kept;
  const auto left = static_cast<double>(live_bytes(points_.back()));
  for (size_t mark = points_.size() - 1; mark > 0; --mark) {
    const auto before = static_cast<double>(live_bytes(points_[mark - 1]));
    const auto after = static_cast<double>(live_bytes(points_[mark]));
    if (points_.size() - mark > kExitMarks || after > kStillThere * before) break;
    if (left < kLeftAtExit * before) kept = mark;
  }
  return kept;
}

Growth GrowthMarks::finish(const TickClock& clock, const SiteTable& sites,
                           const SampleAccounts& samples) {
  while (points_.size() < axis_.marks) add_mark(sites, samples);
  const size_t marks = marks_before_exit();
  Growth growth;
  growth.sites.resize(sites.size());
  for (const std::vector<SitePoint>& points : std::span(points_).first(marks)) {
    for (const SitePoint& at : points) {
      if (at.point.bytes != 0) growth.sites[at.site].resize(marks);
    }
  }
  if (marks < points_.size()) {
    growth.left_bytes.resize(sites.size());
    // By the sites' own sums: what ended with its process was freed by nobody.
    for (const SitePoint& at : points_[marks - 1]) {
      const SiteAccount& site = sites[at.site];
      const uint64_t left = site.allocated_bytes - site.freed_bytes;
      growth.left_bytes[at.site] = left;
      growth.freed_at_exit_bytes += at.point.bytes - std::min(at.point.bytes, left);
    }
  }
  for (size_t mark = 0; mark < marks; ++mark) {
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

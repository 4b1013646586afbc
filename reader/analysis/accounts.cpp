#include "reader/analysis/accounts.h"

#include <algorithm>
#include <utility>

namespace memlens::reader {

Accounts::Accounts(const Range& range, uint32_t timeline_points)
    : range_(range),
      timeline_points_(timeline_points),
      timeline_(range.timeline_from_ticks, range.timeline_to_ticks, timeline_points),
      peak_bytes_(UINT64_MAX) {  // nothing is a peak before the range
  if (range.from_ticks == 0) pass_moment();
  next_moment_ticks_ = 0;
}

void Accounts::record_ranges(uint32_t buckets) {
  RangeRecorder::Axis axis;
  axis.from_ticks = range_.timeline_from_ticks;
  axis.to_ticks = range_.timeline_to_ticks;
  axis.buckets = buckets;
  axis.curve_points = timeline_points_;
  ranges_ = std::make_unique<RangeRecorder>(axis);
  if (in_range_) ranges_->start();
}

void Accounts::mark_growth(uint32_t marks, uint64_t last_end_ticks) {
  GrowthMarks::Axis axis;
  axis.from_ticks = range_.timeline_from_ticks;
  axis.to_ticks = std::min(range_.timeline_to_ticks, last_end_ticks - 1);
  axis.marks = marks;
  axis.until_exit = last_end_ticks != UINT64_MAX && range_.to_ticks >= last_end_ticks;
  growth_ = std::make_unique<GrowthMarks>(axis);
}

void Accounts::pass_moment() {
  if (now_ticks_ > range_.to_ticks) {
    finished_ = true;
    return;
  }
  if (!in_range_ && now_ticks_ >= range_.from_ticks) {
    in_range_ = true;
    high_bytes_ = live_bytes_;
    start_peak_epoch();  // what is alive now is the highest of the range so far
    peak_is_exact_ = true;
    if (ranges_) ranges_->start();
  }
  if (ranges_) ranges_->set_time(now_ticks_);
  if (growth_) growth_->set_time(now_ticks_, sites_, samples_);
  if (in_range_ && now_ticks_ >= timeline_.point_ends()) {
    timeline_.advance(now_ticks_, live_bytes_, high_bytes_);
    high_bytes_ = live_bytes_;
  }
  next_moment_ticks_ = !in_range_ ? range_.from_ticks : timeline_.point_ends();
  if (ranges_ && in_range_)
    next_moment_ticks_ = std::min(next_moment_ticks_, ranges_->next_moment_ticks());
  if (growth_) next_moment_ticks_ = std::min(next_moment_ticks_, growth_->next_ticks());
  if (range_.to_ticks != UINT64_MAX)
    next_moment_ticks_ = std::min(next_moment_ticks_, range_.to_ticks + 1);
}

void Accounts::finish(const TickClock& clock, Analysis& analysis) {
  Totals& totals = analysis.totals;
  if (!in_range_) {  // the range is later than the last event
    high_bytes_ = live_bytes_;
    start_peak_epoch();
  }
  totals.peak_bytes = peak_bytes_;
  totals.peak_seconds = std::max(0.0, clock.seconds_at(peak_ticks_));
  totals.peak_is_exact = peak_is_exact_ && !peak_may_count_ended_;
  totals.sample_bytes = samples_.longest_interval_bytes();
  for (uint32_t i = 0; i < sites_.size(); ++i) {
    SiteAccount& site = sites_[i];
    keep_peak(site);
    totals.allocations += site.allocated_blocks;
    totals.allocated_bytes += site.allocated_bytes;
    totals.frees += site.freed_blocks;
    totals.peak_blocks += site.peak_blocks;
    totals.leaked_bytes += site.allocated_bytes - site.freed_bytes;
    totals.leaked_blocks += site.allocated_blocks - site.freed_blocks;
    totals.temporary_bytes += site.temporary_bytes;
    totals.temporary_blocks += site.temporary_blocks;
    if (samples_.empty()) continue;
    const SampleAccounts::Account& sampled = samples_.settle(i, peak_epoch_);
    SampleVariance leaked = sampled.allocated;
    leaked -= sampled.freed;
    totals.peak_variance += Variance(sampled.peak);
    totals.leaked_variance += Variance(leaked);
    totals.temporary_variance += Variance(sampled.temporary);
    totals.allocated_variance += Variance(sampled.allocated);
  }
  for (const UntouchedAccount& each : untouched_) {
    const bool at_peak = each.begin_ticks <= peak_ticks_ && peak_ticks_ <= each.end_ticks;
    analysis.untouched.push_back({each.site, each.bytes, at_peak});
    if (at_peak)
      totals.untouched_at_peak_bytes = totals.untouched_at_peak_bytes.value_or(0) + each.bytes;
  }
  analysis.timeline = timeline_.finish(clock, live_bytes_, high_bytes_);
  if (ranges_) analysis.ranges = finish_ranges(clock);
  if (growth_) analysis.growth = growth_->finish(clock, sites_, samples_);
}

RangeMatrix Accounts::finish_ranges(const TickClock& clock) {
  RangeRecorder::Result result = ranges_->finish();
  const auto seconds_at = [&](uint64_t ticks) { return std::max(0.0, clock.seconds_at(ticks)); };
  RangeMatrix matrix;
  matrix.from_seconds = seconds_at(range_.timeline_from_ticks);
  matrix.to_seconds = seconds_at(range_.timeline_to_ticks);
  matrix.buckets.reserve(result.bucket_highs.size());
  for (size_t i = 0; i < result.bucket_highs.size(); ++i) {
    matrix.buckets.push_back({result.bucket_highs[i], seconds_at(result.bucket_high_ticks[i])});
  }
  matrix.sites = std::move(result.sites);
  matrix.sites.resize(sites_.size());
  for (std::vector<uint64_t>& highs : result.process_highs) {
    matrix.processes.push_back({0, std::move(highs)});
  }
  return matrix;
}

}  // namespace memlens::reader

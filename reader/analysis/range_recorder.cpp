#include "reader/analysis/range_recorder.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace memlens::reader {

RangeRecorder::RangeRecorder(const Axis& axis) : axis_(axis), bucket_count_(axis.buckets) {}

void RangeRecorder::start() {
  open_bucket();
  schedule();
}

uint64_t RangeRecorder::end_of(uint64_t part, uint64_t parts) const {
  const double share = static_cast<double>(part + 1) / static_cast<double>(parts);
  const uint64_t span = axis_.to_ticks > axis_.from_ticks ? axis_.to_ticks - axis_.from_ticks : 1;
  return axis_.from_ticks + static_cast<uint64_t>(share * static_cast<double>(span));
}

void RangeRecorder::set_time(uint64_t ticks) {
  now_ticks_ = std::max(now_ticks_, ticks);
  if (!is_started() || now_ticks_ < next_moment_ticks_) return;
  // Whatever is later than the end belongs to the last bucket and the last point.
  while (buckets_.size() < bucket_count_ &&
         now_ticks_ >= end_of(buckets_.size() - 1, bucket_count_)) {
    close_bucket();
    open_bucket();
  }
  while (points_ + 1 < axis_.curve_points && now_ticks_ >= end_of(points_, axis_.curve_points)) {
    close_point();
  }
  schedule();
}

void RangeRecorder::schedule() {
  const uint64_t bucket_end =
      buckets_.size() < bucket_count_ ? end_of(buckets_.size() - 1, bucket_count_) : UINT64_MAX;
  const uint64_t point_end =
      points_ + 1 < axis_.curve_points ? end_of(points_, axis_.curve_points) : UINT64_MAX;
  next_moment_ticks_ = std::min(bucket_end, point_end);
}

RangeRecorder::SiteState& RangeRecorder::open_site(uint32_t site) {
  if (site >= sites_.size()) sites_.resize(site + 1);
  SiteState& state = sites_[site];
  if (!state.is_open) {
    state.is_open = true;
    open_sites_.push_back(site);
  }
  return state;
}

RangeRecorder::ProcessState& RangeRecorder::process_state(uint32_t process) {
  if (process >= processes_.size()) processes_.resize(process + 1);
  return processes_[process];
}

void RangeRecorder::add_live(uint32_t process, uint64_t bytes) {
  ProcessState& state = process_state(process);
  state.live_bytes += bytes;
  state.high_bytes = std::max(state.high_bytes, state.live_bytes);
  live_bytes_ += bytes;
  if (!is_started()) return;
  Bucket& bucket = buckets_.back();
  if (live_bytes_ > bucket.high_bytes) {
    bucket.high_bytes = live_bytes_;
    bucket.high_ticks = now_ticks_;
    bucket.high_epoch = ++epoch_;
  }
}

RangeRecorder::Birth RangeRecorder::allocate(uint32_t site, uint32_t process, uint64_t bytes,
                                             uint64_t blocks, uint64_t size_bytes) {
  SiteState& state = open_site(site);
  const Birth birth = epoch_;
  state.allocated.add({static_cast<int64_t>(bytes), static_cast<int64_t>(blocks)}, epoch_);
  if (is_started()) {
    const auto size_class = static_cast<uint8_t>(std::bit_width(size_bytes));
    const auto found = std::ranges::find(state.sizes, size_class, &SizeCount::size_class);
    if (found != state.sizes.end()) {
      found->blocks += blocks;
    } else {
      state.sizes.push_back({size_class, blocks});
    }
  }
  add_live(process, bytes);
  return birth;
}

// Not of the time before the first.
uint16_t RangeRecorder::bucket_of(Birth birth) const {
  if (birth >= buckets_.back().first_epoch) return static_cast<uint16_t>(buckets_.size() - 1);
  const auto after = std::upper_bound(
      buckets_.begin(), buckets_.end(), birth,
      [](Birth epoch, const Bucket& bucket) { return epoch < bucket.first_epoch; });
  return static_cast<uint16_t>(after - buckets_.begin() - 1);
}

// Of a closed bucket, or of the time before the first.
uint16_t RangeRecorder::cell_of(Birth birth) const {
  if (birth == 0) return 0;
  const unsigned bucket = bucket_of(birth);
  return static_cast<uint16_t>(2 * bucket + (birth < buckets_[bucket].high_epoch ? 1 : 2));
}

void RangeRecorder::add_removal(uint32_t site, Birth birth, const Sum& sum, bool unfreed) {
  SiteState& state = open_site(site);
  uint16_t allocated = 0;
  if (is_started() && birth >= buckets_.back().first_epoch) {
    allocated = birth == epoch_ ? kSameEpoch : kEarlierEpoch;
  } else if (!is_started()) {
    // Both before the first bucket: as if it never was.
    state.allocated.add({-sum.bytes, -sum.blocks}, epoch_);
    return;
  } else {
    allocated = cell_of(birth);
  }
  auto removal =
      std::find_if(state.removals.rbegin(), state.removals.rend(), [&](const OpenRemoval& each) {
        return each.allocated == allocated && each.unfreed == unfreed;
      });
  if (removal == state.removals.rend()) {
    state.removals.push_back({allocated, unfreed, {}});
    removal = state.removals.rbegin();
  }
  removal->sum.add(sum, epoch_);
}

void RangeRecorder::remove(uint32_t site, uint32_t process, Birth birth, uint64_t bytes,
                           uint64_t blocks, bool unfreed) {
  add_removal(site, birth, {static_cast<int64_t>(bytes), static_cast<int64_t>(blocks)}, unfreed);
  process_state(process).live_bytes -= bytes;
  live_bytes_ -= bytes;
}

void RangeRecorder::count_as_freed(uint32_t site, Birth birth, uint64_t bytes, uint64_t blocks) {
  const Sum sum{static_cast<int64_t>(bytes), static_cast<int64_t>(blocks)};
  add_removal(site, birth, {-sum.bytes, -sum.blocks}, true);
  add_removal(site, birth, sum, false);
}

void RangeRecorder::restore(uint32_t site, uint32_t process, Birth birth, uint64_t bytes,
                            uint64_t blocks, bool unfreed) {
  add_removal(site, birth, {-static_cast<int64_t>(bytes), -static_cast<int64_t>(blocks)}, unfreed);
  add_live(process, bytes);
}

void RangeRecorder::add_temporary(uint32_t site, Birth birth, uint64_t bytes, uint64_t blocks) {
  change_temporary(site, birth, {static_cast<int64_t>(bytes), static_cast<int64_t>(blocks)});
}

void RangeRecorder::take_back_temporary(uint32_t site, Birth birth, uint64_t bytes,
                                        uint64_t blocks) {
  change_temporary(site, birth, {-static_cast<int64_t>(bytes), -static_cast<int64_t>(blocks)});
}

void RangeRecorder::change_temporary(uint32_t site, Birth birth, const Sum& sum) {
  if (birth == 0) return;  // allocated before the axis
  const uint16_t bucket = bucket_of(birth);
  std::vector<Temporary>& list = sites_[site].temporary;
  auto found = std::find_if(list.rbegin(), list.rend(),
                            [&](const Temporary& each) { return each.bucket == bucket; });
  if (found == list.rend()) {
    list.push_back({bucket, {}});
    ++cells_;
    found = list.rbegin();
  }
  found->sum += sum;
}

void RangeRecorder::open_bucket() {
  if (!is_started()) {
    // Allocations so far are of cell 0.
    for (const uint32_t site : open_sites_) {
      SiteState& state = sites_[site];
      state.allocated.before += state.allocated.latest;
      if (state.allocated.before.blocks != 0 || state.allocated.before.bytes != 0) {
        state.closed_allocations.push_back({0, state.allocated.before});
      }
      state.allocated = {};
      state.is_open = false;
    }
    open_sites_.clear();
    for (ProcessState& process : processes_) process.high_bytes = process.live_bytes;
  }
  // What is alive now is the highest so far.
  ++epoch_;
  const uint64_t start_ticks =
      is_started() ? end_of(buckets_.size() - 1, bucket_count_) : axis_.from_ticks;
  buckets_.push_back({live_bytes_, start_ticks, epoch_, epoch_});
}

void RangeRecorder::close_bucket() {
  const auto before_cell = static_cast<uint16_t>(2 * (buckets_.size() - 1) + 1);
  for (const uint32_t site : open_sites_) close_site(sites_[site], before_cell);
  open_sites_.clear();
  if (cells_ > axis_.cell_limit && buckets_.size() % 2 == 0 && bucket_count_ > 2) halve_buckets();
}

void RangeRecorder::add_closed(SiteState& site, uint16_t allocated, uint16_t removed, bool unfreed,
                               const Sum& sum) {
  if (sum.bytes == 0 && sum.blocks == 0) return;
  site.closed_removals.push_back({allocated, removed, unfreed, sum});
  ++cells_;
}

void RangeRecorder::close_site(SiteState& site, uint16_t before_cell) {
  const uint32_t last_epoch = buckets_.back().high_epoch;
  const auto after_cell = static_cast<uint16_t>(before_cell + 1);
  site.allocated.close(last_epoch);
  for (const auto& [cell, sum] : {std::pair(before_cell, site.allocated.before),
                                  std::pair(after_cell, site.allocated.latest)}) {
    if (sum.bytes == 0 && sum.blocks == 0) continue;
    site.closed_allocations.push_back({cell, sum});
    ++cells_;
  }
  for (OpenRemoval& removal : site.removals) {
    removal.sum.close(last_epoch);
    const bool same_bucket = removal.allocated >= kEarlierEpoch;
    const uint16_t allocated_before = same_bucket ? before_cell : removal.allocated;
    const uint16_t allocated_after =
        removal.allocated == kSameEpoch ? after_cell : allocated_before;
    add_closed(site, allocated_before, before_cell, removal.unfreed, removal.sum.before);
    add_closed(site, allocated_after, after_cell, removal.unfreed, removal.sum.latest);
  }
  site.allocated = {};
  site.removals.clear();
  site.is_open = false;
}

// Sorts sums by time, of allocation and then of removal, and makes one of what is alike.
template <typename Part>
void RangeRecorder::merge_alike(std::vector<Part>& parts) {
  std::ranges::sort(parts, {}, &Part::key);
  size_t kept = 0;
  for (const Part& part : parts) {
    if (kept > 0 && parts[kept - 1].key() == part.key()) {
      parts[kept - 1].sum += part.sum;
    } else {
      parts[kept++] = part;
    }
  }
  parts.resize(kept);
}

void RangeRecorder::halve_buckets() {
  std::vector<bool> second_is_higher;
  std::vector<Bucket> halved;
  for (size_t first = 0; first < buckets_.size(); first += 2) {
    const Bucket& a = buckets_[first];
    const Bucket& b = buckets_[first + 1];
    second_is_higher.push_back(b.high_bytes > a.high_bytes);
    halved.push_back(second_is_higher.back() ? b : a);
    halved.back().first_epoch = a.first_epoch;
  }
  buckets_ = std::move(halved);
  bucket_count_ /= 2;
  cells_ = 0;
  for (SiteState& site : sites_) {
    for (ClosedAllocation& cell : site.closed_allocations) {
      cell.allocated = coarser_cell(cell.allocated, second_is_higher);
    }
    for (ClosedCell& cell : site.closed_removals) {
      cell.allocated = coarser_cell(cell.allocated, second_is_higher);
      cell.removed = coarser_cell(cell.removed, second_is_higher);
    }
    for (Temporary& temporary : site.temporary) temporary.bucket /= 2;
    merge_alike(site.closed_allocations);
    merge_alike(site.closed_removals);
    merge_alike(site.temporary);
    cells_ += site.closed_allocations.size() + site.closed_removals.size() + site.temporary.size();
  }
}

void RangeRecorder::close_point() {
  ++points_;
  for (ProcessState& process : processes_) {
    process.point_highs.resize(points_ - 1, 0);
    process.point_highs.push_back(process.high_bytes);
    process.high_bytes = process.live_bytes;
  }
}

// The cells of a site: its removals, and what they leave of its allocations.
std::vector<RangeCell> RangeRecorder::settle_cells(SiteState& site) {
  merge_alike(site.closed_removals);
  std::vector<RangeCell> cells;
  size_t at = 0;
  for (const ClosedAllocation& allocation : site.closed_allocations) {
    Sum rest = allocation.sum;
    const size_t first = cells.size();
    for (; at < site.closed_removals.size() &&
           site.closed_removals[at].allocated == allocation.allocated;
         ++at) {
      Sum sum = site.closed_removals[at].sum;
      rest.bytes -= sum.bytes;
      rest.blocks -= sum.blocks;
      // An undo in a later cell than what it undoes: the block was there all the time.
      for (size_t i = cells.size(); i-- > first && (sum.bytes < 0 || sum.blocks < 0);) {
        RangeTally& tally = cells[i].tally;
        const auto bytes = std::min<uint64_t>(tally.bytes, sum.bytes < 0 ? -sum.bytes : 0);
        const auto blocks = std::min<uint64_t>(tally.blocks, sum.blocks < 0 ? -sum.blocks : 0);
        tally.bytes -= bytes;
        tally.blocks -= blocks;
        sum.bytes += static_cast<int64_t>(bytes);
        sum.blocks += static_cast<int64_t>(blocks);
      }
      if (sum.bytes > 0 || sum.blocks > 0) {
        cells.push_back({allocation.allocated,
                         site.closed_removals[at].removed,
                         site.closed_removals[at].unfreed,
                         {static_cast<uint64_t>(sum.bytes), static_cast<uint64_t>(sum.blocks)}});
      }
    }
    if (rest.bytes > 0 || rest.blocks > 0) {
      cells.push_back({allocation.allocated,
                       RangeCell::kNever,
                       false,
                       {static_cast<uint64_t>(rest.bytes), static_cast<uint64_t>(rest.blocks)}});
    }
  }
  std::erase_if(
      cells, [](const RangeCell& cell) { return cell.tally.bytes == 0 && cell.tally.blocks == 0; });
  return cells;
}

RangeSite RangeRecorder::settle(SiteState& state) {
  RangeSite site;
  site.cells = settle_cells(state);
  merge_alike(state.temporary);
  for (const auto& [bucket, sum] : state.temporary) {
    if (sum.blocks == 0) continue;
    site.temporary.push_back(
        {bucket, {static_cast<uint64_t>(sum.bytes), static_cast<uint64_t>(sum.blocks)}});
  }
  std::ranges::sort(state.sizes, {}, &SizeCount::size_class);
  site.sizes = std::move(state.sizes);
  merge_equal(site);
  return site;
}

RangeRecorder::Result RangeRecorder::finish() {
  if (!is_started()) open_bucket();
  while (buckets_.size() < bucket_count_) {
    close_bucket();
    open_bucket();
  }
  close_bucket();
  while (points_ < axis_.curve_points) close_point();

  Result result;
  for (const Bucket& bucket : buckets_) {
    result.bucket_highs.push_back(bucket.high_bytes);
    result.bucket_high_ticks.push_back(bucket.high_ticks);
  }
  for (SiteState& site : sites_) result.sites.push_back(settle(site));
  for (ProcessState& process : processes_) {
    result.process_highs.push_back(std::move(process.point_highs));
  }
  return result;
}

}  // namespace memlens::reader

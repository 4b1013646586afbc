#include "report/live/live_places.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "report/view/responsible.h"

namespace memlens::report {
namespace {

void keep_last(std::deque<uint64_t>& values, uint64_t value) {
  values.push_back(value);
  if (values.size() > LivePlaces::kMoments) values.pop_front();
}

// Without regard to ASCII case; an empty part is in every text.
bool has_text(std::string_view text, const std::string& part) {
  if (part.empty()) return true;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  const auto found = std::search(text.begin(), text.end(), part.begin(), part.end(),
                                 [&](char a, char b) { return lower(a) == lower(b); });
  return found != text.end();
}

std::string name_of(const reader::Frame& frame) {
  return std::string(frame.function) + '\0' + std::string(frame.file) + '\0' +
         std::to_string(frame.line);
}

}  // namespace

void LivePlaces::forget_names() {
  // Curves go on under the names that are found now; a place that gets another name begins anew.
  std::unordered_map<std::string, History> known;
  for (size_t i = 0; i < places_.size(); ++i)
    known[name_of(places_[i].frame)] = std::move(histories_[i]);
  tree_ = FrameTree();
  place_of_node_.clear();
  place_of_frame_.clear();
  places_.clear();
  histories_.clear();
  old_histories_ = std::move(known);
}

size_t LivePlaces::place_of(const reader::Site& site) {
  const uint64_t key = uint64_t{site.process_index} << 32 | site.node;
  const auto known = place_of_node_.find(key);
  if (known != place_of_node_.end()) return known->second;
  const FrameTree::NodeId leaf = tree_.intern(frames_of_(site.process_index, site.node));
  const FrameTree::NodeId node = responsible_node(tree_, leaf, *origins_);
  const auto [place, added] = place_of_frame_.try_emplace(tree_.frame_id(node), places_.size());
  if (added) {
    places_.emplace_back().frame = tree_.frame(node);
    History history;
    const auto before = old_histories_.find(name_of(tree_.frame(node)));
    if (before != old_histories_.end()) {
      history = std::move(before->second);
      old_histories_.erase(before);
    }
    history.held.resize(moments_.size());
    history.allocated.resize(moments_.size());
    histories_.push_back(std::move(history));
  }
  place_of_node_[key] = place->second;
  return place->second;
}

size_t LivePlaces::window_begin() const {
  size_t begin = moments_.size() - 1;
  while (begin > 0 && moments_.back().seconds - moments_[begin].seconds < kWindowSeconds) --begin;
  return begin;
}

void LivePlaces::add(const reader::CaptureInfo& info, const reader::Analysis& analysis,
                     double seconds) {
  if (origins_ == nullptr || processes_known_ != info.processes.size()) {
    origins_ = std::make_unique<CodeOrigins>(info);
    processes_known_ = info.processes.size();
  }
  for (LivePlace& place : places_) {
    place.held = place.peak = place.temporary = place.allocated = {};
  }
  for (const reader::Site& site : analysis.sites) {
    LivePlace& place = places_[place_of(site)];
    place.held += site.leaked;
    place.peak += site.peak;
    place.temporary += site.temporary;
    place.allocated += site.allocated;
  }
  const reader::Totals& sums = analysis.totals;
  moments_.push_back({seconds, sums.leaked_bytes, sums.allocations, sums.allocated_bytes});
  if (moments_.size() > kMoments) moments_.pop_front();

  const size_t begin = window_begin();
  const double window = moments_.back().seconds - moments_[begin].seconds;
  const auto per_second = [&](uint64_t now, uint64_t before) {
    return window > 0 ? static_cast<double>(now - before) / window : 0;
  };
  for (size_t i = 0; i < places_.size(); ++i) {
    LivePlace& place = places_[i];
    History& history = histories_[i];
    keep_last(history.held, place.held.bytes);
    keep_last(history.allocated, place.allocated.bytes);
    place.curve.assign(history.held.begin(), history.held.end());
    place.gained_bytes =
        static_cast<int64_t>(place.held.bytes) - static_cast<int64_t>(history.held[begin]);
    place.allocated_bytes_per_second = per_second(place.allocated.bytes, history.allocated[begin]);
  }
  totals_.seconds = seconds;
  totals_.totals = sums;
  totals_.curve.clear();
  for (const Moment& moment : moments_) totals_.curve.push_back(moment.held_bytes);
  totals_.window_seconds = window;
  totals_.gained_bytes =
      static_cast<int64_t>(sums.leaked_bytes) - static_cast<int64_t>(moments_[begin].held_bytes);
  totals_.allocations_per_second = per_second(sums.allocations, moments_[begin].allocations);
  totals_.allocated_bytes_per_second =
      per_second(sums.allocated_bytes, moments_[begin].allocated_bytes);
}

double LivePlaces::weight(const LivePlace& place, LiveOrder order) {
  switch (order) {
    case LiveOrder::kHeld:
      return static_cast<double>(place.held.bytes);
    case LiveOrder::kGrowth:
      return static_cast<double>(place.gained_bytes);
    case LiveOrder::kPeak:
      return static_cast<double>(place.peak.bytes);
    case LiveOrder::kAllocated:
      return place.allocated_bytes_per_second;
    case LiveOrder::kTemporary:
      return static_cast<double>(place.temporary.blocks);
  }
  return 0;
}

std::vector<const LivePlace*> LivePlaces::sorted(LiveOrder order, const std::string& filter) const {
  std::vector<const LivePlace*> places;
  for (const LivePlace& place : places_) {
    if (!filter.empty() && !has_text(place.frame.function, filter) &&
        !has_text(place.frame.file, filter) && !has_text(place.frame.source, filter)) {
      continue;
    }
    if (weight(place, order) > 0) places.push_back(&place);
  }
  std::ranges::stable_sort(places, std::greater{},
                           [&](const LivePlace* place) { return weight(*place, order); });
  return places;
}

}  // namespace memlens::report

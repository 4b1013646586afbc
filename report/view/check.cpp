#include "report/view/check.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_map>

#include "report/text/short_path.h"
#include "report/view/responsible.h"

namespace memlens::report {
namespace {

constexpr double kDefaultTolerance = 0.05;
constexpr double kDefaultBytes = 4096;
constexpr double kDefaultAllocations = 100;

CheckPlace place_of_frame(const reader::Frame& frame, std::string_view working_directory) {
  return {std::string(frame.function), std::string(short_path(frame.file, working_directory)),
          frame.line, 0, 0};
}

std::vector<CheckPlace> find_places(const reader::CaptureInfo& info,
                                    const std::vector<StackSums>& stacks, const FrameTree& tree,
                                    const CodeOrigins& origins, View view,
                                    uint64_t CheckPlace::*weight) {
  const ResponsibleNodes responsible(tree, origins);
  std::unordered_map<uint32_t, size_t> place_of;
  std::vector<CheckPlace> places;
  for (const StackSums& stack : stacks) {
    const reader::Tally& tally = stack.of(view);
    if (tally.bytes == 0 && tally.blocks == 0) continue;
    const FrameTree::NodeId node = responsible.of(stack.node);
    const auto [place, added] = place_of.try_emplace(tree.frame_id(node), places.size());
    if (added) places.push_back(place_of_frame(tree.frame(node), info.working_directory));
    places[place->second].bytes += tally.bytes;
    places[place->second].blocks += tally.blocks;
  }
  std::ranges::stable_sort(places, std::greater{}, weight);
  return places;
}

using PlaceWeight = uint64_t CheckPlace::*;

std::optional<CheckPlace> heaviest(const std::vector<CheckPlace>& places) {
  return places.empty() ? std::nullopt : std::optional(places.front());
}

// By function and file: lines move.
std::string key_of(const CheckPlace& place) { return place.function + '\0' + place.file; }

// A stored summary has whole paths, where places of a capture begin at its working directory.
const CheckPlace* find_by_path_end(const std::vector<CheckPlace>& places, const CheckPlace& whole) {
  if (!whole.file.starts_with('/')) return nullptr;
  const auto found = std::ranges::find_if(places, [&](const CheckPlace& place) {
    return place.function == whole.function && !place.file.empty() &&
           !place.file.starts_with('/') && whole.file.ends_with('/' + place.file);
  });
  return found == places.end() ? nullptr : &*found;
}

// The place that grew most since the baseline, if any did. One that a stored baseline does not list
// had up to `unlisted` there: only what is beyond is growth for certain.
void find_grown_place(CheckedLimit& checked, const std::vector<CheckPlace>& now,
                      const std::vector<CheckPlace>& before, PlaceWeight weight,
                      uint64_t unlisted) {
  std::unordered_map<std::string, int64_t> changes;
  std::unordered_map<std::string, int64_t> lines;  // now, beyond those of the baseline
  for (const CheckPlace& place : now) {
    changes[key_of(place)] += static_cast<int64_t>(place.*weight);
    ++lines[key_of(place)];
  }
  for (const CheckPlace& place : before) {
    auto change = changes.find(key_of(place));
    if (change == changes.end()) {
      const CheckPlace* same = find_by_path_end(now, place);
      if (same == nullptr) continue;  // it is gone: it grew by nothing
      change = changes.find(key_of(*same));
    }
    change->second -= static_cast<int64_t>(place.*weight);
    --lines[change->first];
  }
  for (auto& [key, change] : changes) {
    change -= std::max<int64_t>(0, lines[key]) * static_cast<int64_t>(unlisted);
  }
  int64_t most = 0;
  for (const CheckPlace& place : now) {
    const int64_t change = changes[key_of(place)];
    if (change <= most) continue;
    most = change;
    checked.place = place;
    checked.place_change = change;
  }
}

class LimitChecker {
 public:
  explicit LimitChecker(const CheckLimits& limits) : limits_(limits) {}

  void check(const char* name, CheckUnit unit, std::optional<double> limit, double value,
             double error, const std::vector<CheckPlace>& places) {
    if (!limit) return;
    checked_.push_back(
        {std::string("max-") + name, unit, *limit, value, error, {}, heaviest(places), {}});
  }

  void compare(const char* name, CheckUnit unit, double before, double value, double error,
               const std::vector<CheckPlace>& old_places, uint64_t unlisted,
               const std::vector<CheckPlace>& places) {
    const double floor = unit == CheckUnit::kBytes ? kDefaultBytes : kDefaultAllocations;
    const double allowed = limits_.tolerance ? before * *limits_.tolerance
                                             : std::max(before * kDefaultTolerance, floor);
    CheckedLimit checked{std::string("baseline-") + name,
                         unit,
                         std::floor(before + allowed),
                         value,
                         error,
                         before,
                         heaviest(places),
                         {}};
    find_grown_place(checked, places, old_places,
                     unit == CheckUnit::kBytes ? &CheckPlace::bytes : &CheckPlace::blocks,
                     unlisted);
    checked_.push_back(std::move(checked));
  }

  std::vector<CheckedLimit> take() { return std::move(checked_); }

 private:
  const CheckLimits& limits_;
  std::vector<CheckedLimit> checked_;
};

}  // namespace

CheckFacts find_check_facts(const reader::CaptureInfo& info, const reader::Totals& totals,
                            const std::vector<StackSums>& stacks, const FrameTree& tree,
                            const CodeOrigins& origins) {
  CheckFacts facts;
  facts.peak_bytes = totals.peak_bytes;
  facts.allocations = totals.allocations;
  facts.peak_error = std::sqrt(totals.peak_variance.bytes);
  facts.allocations_error = std::sqrt(totals.allocated_variance.blocks);
  reader::Tally leaked;
  for (const StackSums& stack : stacks) leaked += stack.of(View::kLeaks);
  facts.leaked_bytes = leaked.bytes;
  facts.leaked_error = std::sqrt(leaked.variance.bytes);
  facts.peak_places = find_places(info, stacks, tree, origins, View::kPeak, &CheckPlace::bytes);
  facts.leaked_places = find_places(info, stacks, tree, origins, View::kLeaks, &CheckPlace::bytes);
  facts.allocated_places =
      find_places(info, stacks, tree, origins, View::kAllocations, &CheckPlace::blocks);
  return facts;
}

CheckGrowth find_check_growth(const reader::CaptureInfo& info, const Growing& growing,
                              const std::vector<Suppression>& suppressions) {
  CheckGrowth growth;
  for (const GrowingPlace& grown : growing.places) {
    if (grown.shape != GrowthShape::kLeak || grown.freed_at_exit) continue;
    const bool suppressed = std::ranges::any_of(suppressions, [&](const Suppression& suppression) {
      return matches_suppression(suppression.pattern, *grown.frame);
    });
    if (suppressed) continue;
    CheckPlace place = place_of_frame(*grown.frame, info.working_directory);
    place.bytes = grown.gained_bytes;
    place.blocks = grown.points.back().blocks;
    growth.bytes_per_second += grown.bytes_per_second;
    growth.places.push_back(std::move(place));
  }
  std::ranges::stable_sort(growth.places, std::greater{}, &CheckPlace::bytes);
  return growth;
}

std::vector<CheckedLimit> check_limits(const CheckLimits& limits, const CheckFacts& facts,
                                       const CheckGrowth& growth) {
  const auto number = [](const std::optional<uint64_t>& limit) {
    return limit ? std::optional(static_cast<double>(*limit)) : std::nullopt;
  };
  const auto peak = static_cast<double>(facts.peak_bytes);
  const auto leaked = static_cast<double>(facts.leaked_bytes);
  const auto allocations = static_cast<double>(facts.allocations);
  LimitChecker checker(limits);
  checker.check("peak", CheckUnit::kBytes, number(limits.max_peak), peak, facts.peak_error,
                facts.peak_places);
  checker.check("leaked", CheckUnit::kBytes, number(limits.max_leaked), leaked, facts.leaked_error,
                facts.leaked_places);
  checker.check("allocations", CheckUnit::kAllocations, number(limits.max_allocations), allocations,
                facts.allocations_error, facts.allocated_places);
  checker.check("growth", CheckUnit::kBytesPerSecond, limits.max_growth, growth.bytes_per_second, 0,
                growth.places);
  if (limits.baseline) {
    const CheckFacts& old = *limits.baseline;
    checker.compare("peak", CheckUnit::kBytes, static_cast<double>(old.peak_bytes), peak,
                    facts.peak_error, old.peak_places, old.peak_unlisted, facts.peak_places);
    checker.compare("leaked", CheckUnit::kBytes, static_cast<double>(old.leaked_bytes), leaked,
                    facts.leaked_error, old.leaked_places, old.leaked_unlisted,
                    facts.leaked_places);
    checker.compare("allocations", CheckUnit::kAllocations, static_cast<double>(old.allocations),
                    allocations, facts.allocations_error, old.allocated_places,
                    old.allocated_unlisted, facts.allocated_places);
  }
  return checker.take();
}

bool CheckResult::holds() const {
  return std::ranges::all_of(limits, [](const CheckedLimit& limit) { return limit.holds(); });
}

}  // namespace memlens::report

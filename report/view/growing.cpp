#include "report/view/growing.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <unordered_map>

namespace memlens::report {
namespace {

using reader::GrowthPoint;
using Points = std::vector<GrowthPoint>;

// Parts of what is there in the end.
constexpr double kHardlyAnything = 0.05;
constexpr double kNearlyAll = 0.9;
// Of all that came, what went again: more is a wave.
constexpr double kWaveShare = 0.3;
// The first part of the time, in which a program starts up.
constexpr double kStartupShare = 0.2;
// What comes in the last third of the time, against the third before: less is levelling off.
constexpr double kLevellingShare = 0.4;
constexpr size_t kTrendSteps = 3;
// The last_pace() of what was freed in the end anyway: with less it is no longer rising, and
// nothing else is worth a guess.
constexpr double kStillRising = 0.5;
// Of all there is, what a line must hold to be listed though it gains nothing.
constexpr double kWorthTelling = 0.01;

double step(const GrowthPoint& from, const GrowthPoint& to) {
  return static_cast<double>(to.bytes) - static_cast<double>(from.bytes);
}

// How much of a step may be chance. Blocks that are there at both moments add nothing to it. With
// `gone` the variance of those that went between, it is that of what came, (to - from + gone), and
// of what went. At most all went, and at most all that was freed between.
double chance(const GrowthPoint& from, const GrowthPoint& to) {
  const double gone = std::min(from.variance, to.freed_variance - from.freed_variance);
  return 2 * std::sqrt(std::max(0.0, to.variance - from.variance + 2 * gone));
}

size_t rising_steps(std::span<const GrowthPoint> points) {
  size_t rising = 0;
  for (size_t i = 1; i < points.size(); ++i) {
    if (step(points[i - 1], points[i]) > 0) ++rising;
  }
  return rising;
}

// When a place began to have anything: the last moment at which it had hardly anything. The time of
// the mark before the first, if it had from the first on.
size_t first_point(std::span<const GrowthPoint> points) {
  const double little = kHardlyAnything * static_cast<double>(points.back().bytes);
  size_t first = 0;
  while (first < points.size() && static_cast<double>(points[first].bytes) <= little) ++first;
  return first;
}

// The last mark of the start-up.
size_t startup_point(size_t count) {
  const auto marks = static_cast<size_t>(std::ceil(kStartupShare * static_cast<double>(count)));
  return std::clamp<size_t>(marks, 1, count) - 1;
}

void describe(GrowingPlace& place, const reader::Growth& growth) {
  const std::vector<double>& seconds = growth.seconds;
  const size_t last = place.points.size() - 1;
  const double apart = last > 0 ? seconds[1] - seconds[0] : 0;
  place.freed_at_exit =
      growth.freed_at_exit_bytes > 0 && place.left_bytes < place.points[last].bytes / 2;
  place.shape = growth_shape(place.points);
  if (place.shape == GrowthShape::kLeak && place.freed_at_exit &&
      last_pace(place.points) < kStillRising)
    place.shape = GrowthShape::kCache;
  place.gained_bytes = place.points[last].bytes;
  if (place.shape == GrowthShape::kStartup) {
    const uint64_t started = place.points[startup_point(place.points.size())].bytes;
    place.gained_bytes -= std::min(place.gained_bytes, started);
  }
  const size_t first = first_point(place.points);
  place.since_seconds = std::max(0.0, first > 0 ? seconds[first - 1] : seconds[0] - apart);
  double from_seconds = place.since_seconds;
  double gained = static_cast<double>(place.gained_bytes);
  const size_t middle = (first + last) / 2;
  if (place.shape == GrowthShape::kLeak && middle < last) {
    from_seconds = seconds[middle];
    gained = step(place.points[middle], place.points[last]);
  }
  const double passed = seconds[last] - from_seconds;
  place.bytes_per_second = passed > 0 ? std::max(0.0, gained) / passed : 0;
}

// Sums of the marks, by node of the tree.
class Stacks {
 public:
  void add(FrameTree::NodeId node, const reader::Site& site, const Points& points, uint64_t left) {
    const auto [place, added] = place_of_node_.try_emplace(node, stacks.size());
    if (added) {
      stacks.push_back({node, site.process_index, site.thread_index, Points(points.size())});
      allocated_bytes.push_back(0);
      left_bytes.push_back(0);
      most_gained_.push_back(-1);
    }
    allocated_bytes[place->second] += site.allocated.bytes;
    left_bytes[place->second] += left;
    GrowingStack& stack = stacks[place->second];
    for (size_t mark = 0; mark < points.size(); ++mark) stack.points[mark] += points[mark];
    if (const double gained = step(points.front(), points.back());
        gained > most_gained_[place->second]) {
      most_gained_[place->second] = gained;
      stack.process_index = site.process_index;
      stack.thread_index = site.thread_index;
    }
  }

  std::vector<GrowingStack> stacks;
  std::vector<uint64_t> allocated_bytes;  // by them
  std::vector<uint64_t> left_bytes;       // of them, at the very end

 private:
  std::unordered_map<FrameTree::NodeId, size_t> place_of_node_;
  std::vector<double> most_gained_;  // by one part of the stack
};

}  // namespace

std::string_view growth_shape_name(GrowthShape shape) {
  constexpr std::string_view kNames[] = {"leak", "cache", "startup", "wave"};
  return kNames[static_cast<unsigned>(shape)];
}

uint64_t Growing::leaking_bytes() const {
  uint64_t bytes = 0;
  for (const GrowingPlace& place : places) {
    if (place.shape == GrowthShape::kLeak) bytes += place.gained_bytes;
  }
  return bytes;
}

size_t Growing::leaking_places() const {
  return static_cast<size_t>(std::ranges::count(places, GrowthShape::kLeak, &GrowingPlace::shape));
}

GrowthShape growth_shape(std::span<const GrowthPoint> points) {
  const size_t count = points.size();
  const GrowthPoint& last = points.back();
  const auto whole = static_cast<double>(last.bytes);
  double came = static_cast<double>(points.front().bytes);
  double went = 0;
  for (size_t i = 1; i < count; ++i) {
    const double change = step(points[i - 1], points[i]);
    const double beyond_chance = std::abs(change) - chance(points[i - 1], points[i]);
    if (change > 0) came += change;
    if (change < 0 && beyond_chance > 0) went += beyond_chance;
  }
  if (went > kWaveShare * came) return GrowthShape::kWave;

  const size_t third = std::max<size_t>(1, count / 3);
  const GrowthPoint& late = points[count - 1 - std::min(third, count - 1)];
  const GrowthPoint& middle = points[count - 1 - std::min(2 * third, count - 1)];
  const double in_last_third = step(late, last);
  const double in_middle_third = step(middle, late);
  const bool rises_late =
      in_last_third > kHardlyAnything * whole && in_last_third > chance(late, last);
  const bool is_trend = rising_steps(points.last(std::min(third + 1, count))) >= 2 &&
                        rising_steps(points) >= kTrendSteps;
  if (rises_late && is_trend && in_last_third >= kLevellingShare * in_middle_third) {
    return GrowthShape::kLeak;
  }
  const GrowthPoint& started = points[startup_point(count)];
  return static_cast<double>(started.bytes) >= kNearlyAll * whole ? GrowthShape::kStartup
                                                                  : GrowthShape::kCache;
}

double last_pace(std::span<const GrowthPoint> points) {
  constexpr size_t kLastMarks = 3;
  const size_t last = points.size() - 1;
  const size_t first = std::min(first_point(points), last);
  const size_t late = last - std::min(last, kLastMarks);
  if (first >= late) return 1;
  const double late_rate = step(points[late], points[last]) / static_cast<double>(last - late);
  const double rate = step(points[first], points[last]) / static_cast<double>(last - first);
  if (rate <= 0) return late_rate > 0 ? 1 : 0;  // it had more, and rises again
  return late_rate / rate;
}

Growing find_growing(const reader::Analysis& analysis, const FramesOf& frames_of, FrameTree& tree,
                     const CodeOrigins& origins) {
  const reader::Growth& growth = *analysis.growth;
  Stacks summed;
  for (size_t i = 0; i < analysis.sites.size(); ++i) {
    const Points& points = growth.sites[i];
    // What never has anything at a mark changes no sum.
    if (std::ranges::all_of(points, [](const GrowthPoint& point) { return point.bytes == 0; })) {
      continue;
    }
    const reader::Site& site = analysis.sites[i];
    summed.add(tree.intern(frames_of(site.process_index, site.node)), site, points,
               growth.left_bytes.empty() ? 0 : growth.left_bytes[i]);
  }

  Growing growing;
  const ResponsibleNodes responsible(tree, origins);
  std::unordered_map<uint32_t, size_t> place_of_frame;
  std::vector<size_t> place_of_stack;
  for (size_t i = 0; i < summed.stacks.size(); ++i) {
    const GrowingStack& stack = summed.stacks[i];
    const FrameTree::NodeId node = responsible.of(stack.node);
    const auto [place, added] =
        place_of_frame.try_emplace(tree.frame_id(node), growing.places.size());
    if (added) growing.places.push_back({&tree.frame(node), Points(stack.points.size())});
    place_of_stack.push_back(place->second);
    GrowingPlace& summed_place = growing.places[place->second];
    for (size_t mark = 0; mark < stack.points.size(); ++mark)
      summed_place.points[mark] += stack.points[mark];
    summed_place.allocated_bytes += summed.allocated_bytes[i];
    summed_place.left_bytes += summed.left_bytes[i];
    ++summed_place.stacks;
  }
  for (GrowingPlace& place : growing.places) describe(place, growth);
  for (size_t i = 0; i < summed.stacks.size(); ++i) {
    GrowingStack& stack = summed.stacks[i];
    const bool leaks = growing.places[place_of_stack[i]].shape == GrowthShape::kLeak;
    if (leaks && step(stack.points.front(), stack.points.back()) > 0)
      growing.stacks.push_back(std::move(stack));
  }
  std::ranges::stable_sort(growing.stacks, std::greater{}, &GrowingStack::gained_bytes);
  uint64_t whole = 0;
  for (const GrowingPlace& place : growing.places) whole += place.points.back().bytes;
  const double worth = kWorthTelling * static_cast<double>(whole);
  const auto gone = std::stable_partition(
      growing.places.begin(), growing.places.end(),
      [](const GrowingPlace& place) { return place.points.back().bytes != 0; });
  growing.gone.assign(std::make_move_iterator(gone), std::make_move_iterator(growing.places.end()));
  growing.places.erase(gone, growing.places.end());
  std::erase_if(growing.places, [&](const GrowingPlace& place) {
    return place.gained_bytes == 0 && static_cast<double>(place.points.back().bytes) < worth;
  });
  std::ranges::stable_sort(growing.places, std::greater{}, &GrowingPlace::gained_bytes);
  return growing;
}

}  // namespace memlens::report

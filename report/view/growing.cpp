#include "report/view/growing.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_map>

namespace memlens::report {
namespace {

using reader::GrowthPoint;
using Points = std::vector<GrowthPoint>;

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

bool rises(const GrowthPoint& from, const GrowthPoint& to) {
  return step(from, to) > chance(from, to);
}

}  // namespace

bool is_growing(std::span<const GrowthPoint> points) {
  constexpr size_t kLastSteps = 3;
  while (points.size() > 1 && points[1].bytes == 0) points = points.subspan(1);
  if (points.size() <= kLastSteps || !rises(points.front(), points.back())) return false;
  if (!rises(points[points.size() - 1 - kLastSteps], points.back())) return false;
  const double gained = step(points.front(), points.back());
  size_t up = 0;
  for (size_t i = 1; i < points.size(); ++i) {
    const double change = step(points[i - 1], points[i]);
    if (change > 0) ++up;
    if (-change > std::max(gained / 10, chance(points[i - 1], points[i]))) return false;
  }
  return 3 * up >= 2 * (points.size() - 1);
}

std::vector<GrowingStack> find_growing(const reader::Analysis& analysis, const FramesOf& frames_of,
                                       FrameTree& tree) {
  const reader::Growth& growth = *analysis.growth;
  std::vector<GrowingStack> stacks;
  std::unordered_map<FrameTree::NodeId, size_t> place_of_node;
  std::vector<double> most_gained;  // by one part of the stack
  for (size_t i = 0; i < analysis.sites.size(); ++i) {
    const reader::Site& site = analysis.sites[i];
    const Points& points = growth.sites[i];
    // What has nothing left can only make a stack fall, which shows in what is left.
    if (std::ranges::all_of(points, [](const GrowthPoint& point) { return point.bytes == 0; })) {
      continue;
    }
    const FrameTree::NodeId node = tree.intern(frames_of(site.process_index, site.node));
    const auto [place, added] = place_of_node.try_emplace(node, stacks.size());
    if (added) {
      stacks.push_back({node, site.process_index, site.thread_index, Points(points.size())});
      most_gained.push_back(-1);
    }
    GrowingStack& stack = stacks[place->second];
    for (size_t mark = 0; mark < points.size(); ++mark) stack.points[mark] += points[mark];
    if (const double gained = step(points.front(), points.back());
        gained > most_gained[place->second]) {
      most_gained[place->second] = gained;
      stack.process_index = site.process_index;
      stack.thread_index = site.thread_index;
    }
  }
  std::erase_if(stacks, [](const GrowingStack& stack) { return !is_growing(stack.points); });
  std::ranges::stable_sort(stacks, std::greater{}, &GrowingStack::gained_bytes);
  return stacks;
}

}  // namespace memlens::report

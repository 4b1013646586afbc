// What still allocated bytes do from mark to mark, by responsible line: what a program that runs
// for long loses memory by, as against what it fills once and keeps.
//
// A leak is a sum over the line that makes it. Judged stack by stack, one that 400 callers reach is
// 400 stacks that each rise now and then, none of which is a trend.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "report/view/responsible.h"
#include "report/view/stack_list.h"

namespace memlens::report {

// Enough to tell a trend from a phase, and few enough to be seen at a glance.
inline constexpr uint32_t kGrowthMarks = 20;

enum class GrowthShape : uint8_t {
  kLeak,     // goes on rising to the end
  kCache,    // rose, and has levelled off
  kStartup,  // all of it came in the first part
  kWave,     // comes and goes
};

// "leak", "cache", "startup", "wave".
std::string_view growth_shape_name(GrowthShape shape);

// All stacks that one line is responsible for.
struct GrowingPlace {
  const reader::Frame* frame = nullptr;  // of the tree
  std::vector<reader::GrowthPoint> points;
  size_t stacks = 0;
  uint64_t gained_bytes = 0;     // in all; of what came at the start, only what came after
  uint64_t allocated_bytes = 0;  // by these stacks, freed or not
  double bytes_per_second = 0;   // over the later half of its rise; of other shapes, of all of it
  double since_seconds = 0;      // it had hardly anything until then
  uint64_t left_bytes = 0;       // at the very end, where the program freed most of what it had
  bool freed_at_exit = false;    // most of this, too
  GrowthShape shape = GrowthShape::kLeak;
};

struct GrowingStack {
  FrameTree::NodeId node = 0;
  uint32_t process_index = 0;  // of the part that has gained most
  uint32_t thread_index = 0;
  std::vector<reader::GrowthPoint> points;  // one a mark

  uint64_t gained_bytes() const { return points.back().bytes - points.front().bytes; }
};

struct Growing {
  // Those that gained anything, or hold a part worth telling of all there is; most gained first.
  std::vector<GrowingPlace> places;
  // Those that held something at a mark and nothing at the end, in no order.
  std::vector<GrowingPlace> gone;
  std::vector<GrowingStack> stacks;  // of the places that leak, those that gained; likewise

  uint64_t leaking_bytes() const;
  size_t leaking_places() const;
};

// Of points at even moments that begin with nothing.
GrowthShape growth_shape(std::span<const reader::GrowthPoint> points);

// How fast it rises at the last marks, against all of its rise: 1 is as fast, as of what came only
// then.
double last_pace(std::span<const reader::GrowthPoint> points);

// One stack for all threads and processes that share its shown frames. What is interned may be
// more than what is returned; nothing may be interned while the result is used.
Growing find_growing(const reader::Analysis& analysis, const FramesOf& frames_of, FrameTree& tree,
                     const CodeOrigins& origins);

}  // namespace memlens::report

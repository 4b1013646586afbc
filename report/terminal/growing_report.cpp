#include "report/terminal/growing_report.h"

#include <algorithm>

#include "reader/text/columns.h"
#include "reader/text/units.h"
#include "report/terminal/table.h"
#include "report/terminal/wording.h"
#include "report/text/short_function.h"
#include "report/text/short_path.h"
#include "report/text/sparkline.h"

namespace memlens::report {
namespace {

constexpr size_t kShownStacks = 3;
constexpr size_t kCurveColumns = 20;
constexpr size_t kNarrowColumns = 100;
constexpr double kWorthALine = 0.001;

// Guesses: what rises to the end of a recording may stop after it.
std::string shape_text(const GrowingPlace& place) {
  switch (place.shape) {
    case GrowthShape::kLeak:
      return place.freed_at_exit ? "kept to the end" : "a leak?";
    case GrowthShape::kCache:
      return "full: a cache?";
    case GrowthShape::kStartup:
      return "start-up";
    case GrowthShape::kWave:
      break;
  }
  return "comes and goes";
}

std::vector<uint64_t> curve_of(const std::vector<reader::GrowthPoint>& points) {
  std::vector<uint64_t> bytes;
  bytes.reserve(points.size());
  for (const reader::GrowthPoint& point : points) bytes.push_back(point.bytes);
  return bytes;
}

void print_places(std::ostream& out, const Terminal& terminal, const reader::CaptureInfo& info,
                  std::span<const GrowingPlace> places) {
  const bool narrow = terminal.columns < kNarrowColumns;
  Table table({{"gained", Align::kRight},
               {"has", Align::kRight},
               {"per second", Align::kRight},
               {"since", Align::kRight},
               {"stacks", Align::kRight},
               {"curve"},
               {""},
               {"function", Align::kLeft, Cut::kEnd, 14},
               {"place", Align::kLeft, Cut::kFolders, 18},
               {"", Align::kLeft, Cut::kEnd, 16}});
  for (const GrowingPlace& place : places) {
    const bool leaks = place.shape == GrowthShape::kLeak;
    const auto rate = static_cast<uint64_t>(place.bytes_per_second);
    table.add_row({{"+" + format_bytes(place.gained_bytes) +
                        format_bytes_error(place.points.back().variance, terminal.unicode),
                    leaks ? Paint::kBold : Paint::kPlain},
                   format_bytes(place.points.back().bytes),
                   leaks ? format_bytes(rate) : "",
                   format_seconds(place.since_seconds),
                   format_count(place.stacks),
                   sparkline(curve_of(place.points), narrow ? kCurveColumns / 2 : kCurveColumns,
                             terminal.unicode),
                   {shape_text(place), leaks ? Paint::kWarm : Paint::kDim},
                   {short_function(place.frame->function, terminal.unicode), Paint::kBold},
                   place_of(*place.frame, info.working_directory),
                   {printable(place.frame->source), Paint::kDim}});
  }
  table.print(out, terminal, 2);
}

void print_heading(std::ostream& out, const Terminal& terminal, const GrowingStack& stack,
                   size_t number) {
  const reader::GrowthPoint& last = stack.points.back();
  const std::string gained = "+" + format_bytes(stack.gained_bytes());
  const std::string now = format_bytes(last.bytes) +
                          format_bytes_error(last.variance, terminal.unicode) + " in " +
                          format_count_of(last.blocks, "block");
  out << entry_number(number) << terminal.paint(Paint::kBold, gained)
      << terminal.paint(Paint::kDim, "  to " + now) << '\n';
}

}  // namespace

void print_growing_report(std::ostream& out, const Terminal& terminal,
                          const reader::CaptureInfo& info, const reader::Growth& growth,
                          const Growing& growing, const FrameTree& tree, const CodeOrigins& origins,
                          const StackReportLimits& limits) {
  const size_t leaking = growing.leaking_places();
  const std::string what = leaking == 0
                               ? "no line rises to the end"
                               : "+" + format_bytes(growing.leaking_bytes()) + " at " +
                                     format_count_of(leaking, "line") +
                                     (leaking == 1 ? " that rises" : " that rise") + " to the end";
  out << capture_heading(info, terminal) << '\n'
      << terminal.paint(Paint::kBold, "Growing: " + what) << ", at "
      << format_count_of(growth.seconds.size(), "mark") << " from "
      << format_seconds(growth.seconds.front()) << " to " << format_seconds(growth.seconds.back())
      << '\n';
  if (growth.freed_at_exit_bytes > 0) {
    out << terminal.paint(Paint::kDim, "After that the program freed " +
                                           format_bytes(growth.freed_at_exit_bytes) +
                                           " of what it had, and ended")
        << '\n';
  }
  if (growing.places.empty()) return;
  // What leaks comes first; what merely is there says what it is compared with.
  std::vector<GrowingPlace> places = growing.places;
  uint64_t whole = 0;
  for (const GrowingPlace& place : places) whole += place.points.back().bytes;
  std::erase_if(places, [&](const GrowingPlace& place) {
    if (place.gained_bytes == 0) return true;  // it is there, and that is all
    return static_cast<double>(place.points.back().bytes) <
           kWorthALine * static_cast<double>(whole);
  });
  std::stable_partition(places.begin(), places.end(), [](const GrowingPlace& place) {
    return place.shape == GrowthShape::kLeak;
  });
  if (places.empty()) return;
  const size_t shown = limits.stacks == 0 ? places.size() : std::min(limits.stacks, places.size());
  out << '\n';
  print_places(out, terminal, info, std::span(places).first(shown));
  if (shown < places.size()) {
    out << "  " << format_count_of(places.size() - shown, "other line")
        << terminal.paint(Paint::kDim, "  (-n 0 shows all)") << '\n';
  }
  const size_t stacks = std::min(
      {kShownStacks, growing.stacks.size(), limits.stacks == 0 ? kShownStacks : limits.stacks});
  for (size_t i = 0; i < stacks; ++i) {
    out << '\n';
    print_heading(out, terminal, growing.stacks[i], i + 1);
    print_stack_frames(out, terminal, info, tree, growing.stacks[i].node, origins,
                       limits.lines_per_stack);
  }
  if (stacks < growing.stacks.size()) {
    out << '\n'
        << format_count_of(growing.stacks.size() - stacks, "more stack")
        << terminal.paint(Paint::kDim, "  (--json lists all)") << '\n';
  }
}

}  // namespace memlens::report

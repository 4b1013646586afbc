// memlens ranges
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "interposer/recording/running_recording.h"
#include "reader/analysis/marked_ranges.h"
#include "reader/file/error.h"
#include "reader/file/source.h"
#include "reader/text/columns.h"
#include "reader/text/units.h"
#include "report/cli/answer_commands.h"
#include "report/cli/option_groups.h"
#include "report/cli/report_options.h"
#include "report/json/ranges_json.h"
#include "report/terminal/stack_report.h"
#include "report/terminal/table.h"
#include "report/terminal/wording.h"

namespace memlens::report::cli {
namespace {

using recording::capture_of;
using recording::recording_into;
using recording::recording_of;
using recording::resolve_so_far;
using recording::write_so_far;

struct RangesOptions : ReportOptions {
  std::string name;
  bool last = false;
  std::optional<size_t> count;
  std::optional<size_t> stacks;
  std::optional<size_t> stacks_of;  // so many ranges have stacks; unset: all that are shown
  bool json = false;
};

// A number that is no file is a process that is being recorded. Of a recording that is under way,
// all there is by now is in the file afterwards.
void find_capture(RangesOptions& options) {
  const std::string text = options.capture_path;
  const bool is_pid = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos &&
                      !std::filesystem::exists(text);
  if (!is_pid) {
    if (!reader::is_being_written(text)) return;
    if (const auto recording = recording_into(text)) write_so_far(*recording);
    return;
  }
  const int pid = std::atoi(text.c_str());
  const auto recording = recording_of(pid);
  if (!recording) {
    throw std::runtime_error("process " + text + " is not being recorded (or is another user's)");
  }
  if (pid != recording->collector_pid) options.query.pid = pid;
  options.capture_path = capture_of(*recording);
  if (options.capture_path.empty() || !write_so_far(*recording)) {
    throw std::runtime_error("the recording of process " + text + " does not answer");
  }
}

void select(std::vector<reader::MarkedRange>& ranges, const RangesOptions& options,
            const reader::CaptureInfo& info) {
  if (options.query.pid) {
    std::erase_if(ranges, [&](const reader::MarkedRange& range) {
      const auto process =
          std::ranges::find(info.processes, range.process_index, &reader::ProcessInfo::index);
      return process == info.processes.end() || process->pid != *options.query.pid;
    });
  }
  if (options.name.empty()) return;
  std::erase_if(ranges,
                [&](const reader::MarkedRange& range) { return range.name != options.name; });
  if (ranges.empty()) {
    throw reader::CaptureError(
        info.path, "no range '" + options.name + "' in it; memlens ranges lists those there are");
  }
  if (options.last) ranges.erase(ranges.begin(), ranges.end() - 1);
}

// The range alone, with its stacks.
reader::Analysis analyze_one(const RangesOptions& options, const reader::Capture& capture,
                             reader::MarkedRange& range) {
  reader::Query query = options.query;
  query.from_seconds = range.from_seconds;
  query.to_seconds = range.to_seconds;
  query.timeline_points = 1;
  const auto process =
      std::ranges::find(capture.info().processes, range.process_index, &reader::ProcessInfo::index);
  if (process != capture.info().processes.end()) query.pid = process->pid;
  reader::Analysis analysis = reader::analyze_range(capture, query);
  const reader::Totals& totals = analysis.totals;
  range.peak_bytes = totals.peak_bytes;
  range.peak_blocks = totals.peak_blocks;
  range.leaked_bytes = totals.leaked_bytes;
  range.leaked_blocks = totals.leaked_blocks;
  range.allocations = totals.allocations;
  range.allocated_bytes = totals.allocated_bytes;
  return analysis;
}

std::vector<Stack> heaviest(const StackList& list, size_t count) {
  std::vector<Stack> stacks = list.stacks();
  if (count != 0 && stacks.size() > count) stacks.resize(count);
  for (Stack& stack : stacks) stack.parts = {};  // of the list
  return stacks;
}

void print_table(const reader::CaptureInfo& info, const std::vector<reader::MarkedRange>& ranges,
                 size_t shown) {
  const Terminal terminal = detect_terminal(STDOUT_FILENO);
  std::cout << capture_heading(info, terminal) << '\n';
  if (ranges.empty()) {
    std::cout << "No ranges: none of its marks has another one with the same name and \""
              << reader::kRangeEndSuffix << "\" behind it\n";
    return;
  }
  std::cout << terminal.paint(Paint::kBold, format_count_of(ranges.size(), "range"))
            << ", what peaked highest first\n\n";
  Table table({{"peak", Align::kRight},
               {"still allocated", Align::kRight},
               {"allocated", Align::kRight},
               {"allocations", Align::kRight},
               {"took", Align::kRight},
               {"range", Align::kLeft, Cut::kEnd, 20}});
  for (const reader::MarkedRange& range : std::span(ranges).first(shown)) {
    const double seconds = range.to_seconds.value_or(info.duration_seconds) - range.from_seconds;
    table.add_row({{format_bytes(range.peak_bytes), Paint::kBold},
                   format_bytes(range.leaked_bytes),
                   format_bytes(range.allocated_bytes),
                   format_count(range.allocations),
                   format_seconds(seconds),
                   printable(range.name)});
  }
  table.print(std::cout, terminal, 2);
  if (shown < ranges.size()) {
    std::cout << "  " << format_count_of(ranges.size() - shown, "other range")
              << "  (-n 0 shows all)\n";
  }
}

void print_with_stacks(const RangesOptions& options, const reader::Capture& capture,
                       std::span<reader::MarkedRange> ranges) {
  const Terminal terminal = detect_terminal(STDOUT_FILENO);
  const CodeOrigins origins = code_origins(options, capture);
  const StackReportLimits limits{options.stacks.value_or(3), StackReportLimits{}.lines_per_stack};
  for (reader::MarkedRange& range : ranges) {
    const reader::Analysis analysis = analyze_one(options, capture, range);
    std::cout << terminal.paint(Paint::kBold, printable(range.name)) << '\n';
    for (const View view : {View::kPeak, View::kLeaks}) {
      FrameTree tree;
      const StackList list(analysis.sites, view, Grouping::kByFrames,
                           shown_frames(options, capture), tree);
      if (view == View::kLeaks && list.stacks().empty()) continue;
      print_stack_report(std::cout, terminal, capture.info(), analysis.totals, view, list, tree,
                         origins, limits);
      std::cout << '\n';
    }
  }
}

int print_ranges(RangesOptions& options) {
  find_capture(options);
  reader::Capture capture = reader::Capture::open(options.capture_path, {});
  const reader::CaptureInfo& info = capture.info();
  if (info.sample_bytes != 0) {
    throw reader::CaptureError(info.path,
                               "it is of samples: what a range of it holds is not known");
  }
  std::vector<reader::MarkedRange> ranges = reader::find_ranges(capture);
  select(ranges, options, info);
  const bool with_stacks = options.stacks.has_value() || !options.name.empty();
  // Of ranges that are named, only their part of the capture is read.
  if (options.name.empty()) {
    reader::measure_ranges(capture, ranges);
    std::ranges::stable_sort(ranges, std::greater(), &reader::MarkedRange::peak_bytes);
  }
  // What comes at the end of a recording otherwise; a test's verdict has no need of it.
  if (info.running && with_stacks && (!options.json || shows_native(options, capture)))
    resolve_so_far(capture);
  const size_t wanted = options.count.value_or(options.json ? 0 : 20);
  const size_t shown = wanted == 0 ? ranges.size() : std::min(wanted, ranges.size());
  if (options.json) {
    FrameTree tree;
    std::vector<ShownRange> shown_ranges;
    for (reader::MarkedRange& range : std::span(ranges).first(shown)) {
      ShownRange each;
      each.has_stacks = with_stacks && shown_ranges.size() < options.stacks_of.value_or(shown);
      if (each.has_stacks) {
        const reader::Analysis analysis = analyze_one(options, capture, range);
        const FramesOf frames = shown_frames(options, capture);
        const size_t count = options.stacks.value_or(0);
        each.peak =
            heaviest({analysis.sites, View::kPeak, Grouping::kByFrames, frames, tree}, count);
        each.leaks =
            heaviest({analysis.sites, View::kLeaks, Grouping::kByFrames, frames, tree}, count);
      }
      each.range = range;
      shown_ranges.push_back(std::move(each));
    }
    write_ranges_json(std::cout, info, shown_ranges, ranges.size(), tree);
    return 0;
  }
  if (with_stacks) {
    const size_t detailed = std::min(shown, options.stacks_of.value_or(shown));
    print_with_stacks(options, capture, std::span(ranges).first(detailed));
  } else {
    print_table(info, ranges, shown);
  }
  return 0;
}

}  // namespace

void add_ranges_command(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<RangesOptions>();
  CLI::App* command = app.add_subcommand("ranges", "What each marked range took: tests, requests");
  command->footer(
      "A range lies between a mark 'NAME' and the next mark 'NAME (end)' of the same process; the\n"
      "pytest plugin marks each test so. Its memory is that of the blocks allocated in it, as if\n"
      "recording had begun there.\n\n"
      "Examples:\n"
      "  memlens ranges tests.mlens                          the ranges that peaked highest\n"
      "  memlens ranges tests.mlens 'test_a.py::test_load'   one, and its heaviest stacks\n"
      "  memlens ranges 4711                                 of a process that is being recorded");
  command
      ->add_option("CAPTURE", options->capture_path,
                   "A file that memlens run wrote, or the pid of a recorded process")
      ->required()
      ->option_text(" ");
  command->add_option("NAME", options->name, "Only ranges of this name, with their stacks")
      ->option_text(" ");
  command->add_flag("--last", options->last, "Of several of that name, the last");
  command->add_option("--pid", options->query.pid, "Only this process")->option_text("PID");
  command
      ->add_option("--thread", options->query.tid,
                   "With NAME: only blocks this thread made (its kernel id)")
      ->option_text("TID");
  add_frame_options(*command, *options);
  command->add_option("-n", options->count, "Only the N ranges that peaked highest; 0: all (20)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N");
  command
      ->add_option("--stacks", options->stacks,
                   "The N heaviest stacks of each range; 0: all (3 with NAME, else none)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N");
  command
      ->add_option("--stacks-of", options->stacks_of,
                   "With --stacks: only of the N ranges that peaked highest (all)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N");
  add_json_option(*command, options->json);
  command->callback([options, &chosen] { chosen = [options] { return print_ranges(*options); }; });
}

}  // namespace memlens::report::cli

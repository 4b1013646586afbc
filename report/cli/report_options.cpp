#include "report/cli/report_options.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "interposer/recording/running_recording.h"
#include "reader/capture/left_out_text.h"
#include "reader/file/error.h"
#include "reader/text/columns.h"
#include "reader/text/units.h"
#include "report/cli/option_groups.h"
#include "report/cli/options/cache_options.h"

namespace memlens::report::cli {
namespace {

using recording::open_so_far;

template <typename Id, typename Items>
std::string list_ids(const Items& items, Id id) {
  constexpr size_t kListed = 10;
  std::string text;
  for (size_t i = 0; i < items.size() && i < kListed; ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(id(items[i]));
  }
  return items.size() > kListed ? text + ", ..." : text;
}

void check_selection(const ReportOptions& options, const reader::CaptureInfo& info) {
  const reader::Query& query = options.query;
  const auto pid_of = [](const reader::ProcessInfo& process) { return process.pid; };
  const auto tid_of = [](const reader::ThreadInfo& thread) { return thread.tid; };
  if (query.pid && std::ranges::find(info.processes, *query.pid, pid_of) == info.processes.end()) {
    throw reader::CaptureError(info.path, "no process " + std::to_string(*query.pid) +
                                              " in it; there are " +
                                              list_ids(info.processes, pid_of));
  }
  if (query.tid && std::ranges::find(info.threads, *query.tid, tid_of) == info.threads.end()) {
    throw reader::CaptureError(info.path, "no thread " + std::to_string(*query.tid) +
                                              " in it; there are " +
                                              list_ids(info.threads, tid_of));
  }
}

// What is no number is the name of a mark.
std::optional<double> seconds_of(const std::string& text) {
  char* end = nullptr;
  const double seconds = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0') return {};
  return seconds;
}

void check_order(const ReportOptions& options) {
  const reader::Query& query = options.query;
  if (query.from_seconds && query.to_seconds && *query.from_seconds > *query.to_seconds) {
    throw CLI::ValidationError("--from", "the range ends before it starts");
  }
}

// The first mark of that name, from `after_seconds` on where there is one: a range from "begin" to
// "end" of a loop is that of its first round.
double mark_seconds(const reader::CaptureInfo& info, const std::string& name,
                    double after_seconds) {
  const reader::Mark* found = nullptr;
  for (const reader::Mark& mark : info.marks) {
    if (mark.name != name) continue;
    if (found == nullptr) found = &mark;
    if (mark.seconds < after_seconds) continue;
    found = &mark;
    break;
  }
  if (found != nullptr) return found->seconds;
  std::string known;
  constexpr size_t kListed = 10;
  for (size_t i = 0; i < info.marks.size() && i < kListed; ++i) {
    known += (i == 0 ? "" : ", ") + info.marks[i].name;
  }
  if (info.marks.size() > kListed) known += ", ...";
  throw reader::CaptureError(
      info.path,
      "no mark '" + name + "' in it; " + (known.empty() ? "there are none" : "there are " + known));
}

void find_marks(ReportOptions& options, const reader::CaptureInfo& info) {
  reader::Query& query = options.query;
  if (!options.from.empty() && !query.from_seconds) {
    query.from_seconds = mark_seconds(info, options.from, 0);
  }
  if (!options.to.empty() && !query.to_seconds) {
    query.to_seconds = mark_seconds(info, options.to, query.from_seconds.value_or(0));
  }
  if (query.from_seconds && query.to_seconds && *query.from_seconds > *query.to_seconds) {
    throw reader::CaptureError(info.path, "the range ends before it starts");
  }
}

// A range that lies outside the recording would give a report of nothing.
void check_range(const reader::Query& query, const reader::CaptureInfo& info) {
  if (!query.from_seconds || *query.from_seconds < info.duration_seconds ||
      *query.from_seconds == 0) {
    return;
  }
  throw reader::CaptureError(info.path, "--from " + format_seconds(*query.from_seconds) +
                                            " is after its end: it is " +
                                            format_seconds(info.duration_seconds) + " long");
}

void warn_of_early_end(const reader::CaptureInfo& info) {
  if (info.complete) return;
  std::cerr << (info.running ? "memlens: " : "memlens: warning: ") << printable(info.path) << " "
            << printable(info.early_end) << "\n";
}

}  // namespace

void warn_of_left_out(const reader::CaptureInfo& info,
                      const std::vector<reader::LeftOut>& left_out) {
  constexpr size_t kTold = 3;
  for (size_t i = 0; i < left_out.size() && i < kTold; ++i) {
    std::cerr << "memlens: warning: " << printable(info.path) << ": "
              << printable(reader::describe(left_out[i], info)) << "\n";
  }
  if (left_out.size() > kTold) {
    std::cerr << "memlens: warning: " << printable(info.path) << ": so much for "
              << left_out.size() - kTold << " more; memlens summary lists them\n";
  }
}

void add_capture_argument(CLI::App& command, std::string& path) {
  command.add_option("CAPTURE", path, "A file that memlens run wrote")
      ->required()
      ->option_text(" ");
}

void add_count_option(CLI::App& command, size_t& count, const std::string& description) {
  command.add_option("-n", count, description)
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->option_text("N");
}

void add_stack_list_options(CLI::App& command, StackListOptions& options,
                            const std::string& count_description) {
  command.add_option("-n", options.count, count_description)
      ->check(CLI::NonNegativeNumber)
      ->option_text("N");
  command.add_option("--frames", options.lines_per_stack, "Lines shown of a stack; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->option_text("N");
}

void add_json_option(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "JSON on standard output, for programs");
}

void add_report_options(CLI::App& command, ReportOptions& options) {
  add_capture_argument(command, options.capture_path);
  command.add_option("--pid", options.query.pid, "Only this process")->option_text("PID");
  command.add_option("--thread", options.query.tid, "Only blocks this thread made (its kernel id)")
      ->option_text("TID");
  add_range_options(command, options);
  add_frame_options(command, options);
}

void add_range_options(CLI::App& command, ReportOptions& options) {
  command
      .add_option("--from", options.from,
                  "Only what happened from here on: seconds since the start, or a mark's name")
      ->option_text("S|MARK");
  command.add_option("--to", options.to, "... and up to here")->option_text("S|MARK");
  command.add_flag("--at-exit", options.query.until_exit,
                   "Count what Python frees while it shuts down as freed");
  command.parse_complete_callback([&options] {
    const auto number = [](const char* option, const std::string& text) {
      const std::optional<double> seconds = seconds_of(text);
      if (seconds && !(*seconds >= 0)) {
        throw CLI::ValidationError(option, text + " is before the start");
      }
      return seconds;
    };
    options.query.from_seconds = number("--from", options.from);
    options.query.to_seconds = number("--to", options.to);
    check_order(options);
  });
}

void add_frame_options(CLI::App& command, ReportOptions& options) {
  // Two flags and not one with a negation: CLI11 would set that one to false when it is not given.
  command.add_flag_callback(
      "--native", [&options] { options.native = true; },
      "Show native frames (the default where recorded)");
  command.add_flag_callback(
      "--no-native", [&options] { options.native = false; }, "Hide native frames");
  command.add_flag_callback(
      "--tasks", [&options] { options.tasks = reader::TaskFrames::kOutermost; },
      "Stacks begin at their asyncio task, in place of the event loop and its callers");
  command
      .add_option_function<std::string>(
          "--own",
          [&options](const std::string& own) {
            options.own_code.own = own == "all"        ? OwnCode::kAll
                                   : own == "packages" ? OwnCode::kPackages
                                                       : OwnCode::kProject;
          },
          "Whose line is named of a stack: the project's (the default), also that of packages\n"
          "installed for it, or whichever asked for memory")
      ->check(CLI::IsMember({"project", "packages", "all"}))
      ->option_text("project|packages|all");
  command
      .add_option("--project", options.own_code.project,
                  "The project's folder (default: where the program was started, and its scripts')")
      ->option_text("DIR");
  command.add_flag_callback(
      "--no-cache,--no-index", [&options] { options.use_cache = false; },
      "Read every event again, and keep nothing for the next report");
}

void add_threshold_option(CLI::App& command, ReportOptions& options) {
  command
      .add_option("--threshold", options.query.temporary_threshold,
                  "Temporary: freed before K further allocations of its thread. 1: the thread "
                  "allocated nothing meanwhile; 100: also a buffer that 99 others came after")
      ->check(CLI::Range(1u, 1u << 20))
      ->capture_default_str()
      ->option_text("K");
}

void add_view_option(CLI::App& command, View& view, const std::string& description) {
  std::vector<std::string> names;
  names.reserve(std::size(kViews));
  for (View each : kViews) names.emplace_back(view_name(each));
  command
      .add_option_function<std::string>(
          "--view", [&view](const std::string& name) { view = *view_from_name(name); }, description)
      ->check(CLI::IsMember(names))
      ->option_text("peak|leaks|temporary|allocations");
}

reader::Capture open_capture(ReportOptions& options) {
  reader::Capture capture = open_so_far(options.capture_path, cache_options(options.use_cache));
  check_selection(options, capture.info());
  find_marks(options, capture.info());
  check_range(options.query, capture.info());
  warn_of_early_end(capture.info());
  warn_of_left_out(capture.info(), capture.info().left_out);
  return capture;
}

reader::Analysis analyze(const ReportOptions& options, const reader::Capture& capture,
                         const reader::Query& query) {
  reader::Analysis analysis =
      reader::analyze_cached(capture, query, cache_options(options.use_cache));
  warn_of_left_out(capture.info(), analysis.left_out);
  return analysis;
}

bool shows_native(const ReportOptions& options, const reader::Capture& capture) {
  return options.native.value_or(capture.info().native_stacks);
}

CodeOrigins code_origins(const ReportOptions& options, const reader::Capture& capture) {
  OwnCodeOptions own_code = options.own_code;
  std::error_code error;
  // As the user's shell sees it, and not as the program's folder would have it.
  if (!own_code.project.empty()) {
    const auto path = std::filesystem::absolute(own_code.project, error);
    if (!error) own_code.project = path.lexically_normal().string();
  }
  return CodeOrigins(capture.info(), own_code);
}

FramesOf shown_frames(const ReportOptions& options, const reader::Capture& capture) {
  const bool native = shows_native(options, capture);
  return [&capture, native, tasks = options.tasks](uint32_t process_index, uint32_t node) {
    return capture.frames(process_index, node, native, tasks);
  };
}

}  // namespace memlens::report::cli

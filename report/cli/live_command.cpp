// memlens live
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "interposer/recording/finish_capture.h"
#include "interposer/recording/output_file.h"
#include "interposer/recording/run_error.h"
#include "interposer/recording/running_recording.h"
#include "reader/analysis/followed_analysis.h"
#include "reader/file/error.h"
#include "reader/text/columns.h"
#include "report/cli/live_command.h"
#include "report/cli/live_keyboard.h"
#include "report/cli/run/typed_program.h"
#include "report/live/live_places.h"
#include "report/live/live_screen.h"
#include "report/terminal/terminal.h"

namespace memlens::report::cli {
namespace {

using recording::capture_of;
using recording::existing_output;
using recording::is_still_there;
using recording::kOwnFailure;
using recording::mark_recording;
using recording::OutputFile;
using recording::recording_into;
using recording::required_recording_of;
using recording::resolve_so_far;
using recording::RunError;
using recording::write_so_far;

using Clock = std::chrono::steady_clock;

struct LiveOptions {
  std::string target;
  double interval_seconds = 1;
};

struct LiveTarget {
  std::string capture_path;
  std::optional<collector::RunningRecording> recording;  // nothing: only the file is there
};

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 10 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

LiveTarget find_target(const std::string& text) {
  struct stat status {};
  LiveTarget target;
  if (!is_number(text) || stat(text.c_str(), &status) == 0) {
    target.capture_path = text;
    target.recording = recording_into(text);
    return target;
  }
  target.recording = required_recording_of(std::stoi(text));
  target.capture_path = capture_of(*target.recording);
  if (target.capture_path.empty())
    throw RunError(kOwnFailure, "the capture of process " + text +
                                    " cannot be found: name the file instead of the process");
  return target;
}

// The recording, read on and on.
class LiveView {
 public:
  explicit LiveView(LiveTarget target)
      // Twice: an answer goes up to the collector's tick before, the second beyond the first.
      : target_(std::move(target)), asked_(ask() && ask()) {
    open();
  }

  const reader::CaptureInfo& info() const { return followed_->capture().info(); }
  const LiveTarget& target() const { return target_; }

  // Everything there is at first. Of a long recording the last minute second by second, for the
  // curves. `progress(share)`.
  template <typename Progress>
  void catch_up(Progress&& progress) {
    const double horizon = followed_->horizon_seconds();
    const double recent = std::max(0.0, horizon - static_cast<double>(LivePlaces::kMoments));
    constexpr int kSteps = 50;
    for (int step = 1; step <= kSteps && recent > 0; ++step) {
      followed_->advance(recent * step / kSteps);
      progress(recent / horizon * step / kSteps);
    }
    resolve();
    for (double moment = recent + 1; moment < horizon; moment += 1) {
      followed_->advance(moment);
      take(moment);
      progress(moment / horizon);
    }
    followed_->advance(std::numeric_limits<double>::infinity());
    take(std::max(horizon, places_.totals().seconds));
  }

  void refresh() {
    // The recording has been rotated: the name is another file's.
    if (!is_still_there(file_) && open_next()) return;
    if (!info().running) return;
    ask();
    const double before = followed_->horizon_seconds();
    followed_->update();
    if (followed_->horizon_seconds() <= before) return;
    resolve();
    take(followed_->horizon_seconds());
  }

  LiveScreen screen() const {
    LiveScreen screen;
    screen.info = &info();
    screen.places = &places_;
    screen.resident_bytes = resident_now(followed_->capture());
    screen.exact = followed_->is_exact();
    return screen;
  }

 private:
  // Throws reader::CaptureError.
  void open() {
    // Before it is opened: one that replaces it meanwhile is noticed.
    const OutputFile file = existing_output(target_.capture_path);
    followed_ = std::make_unique<reader::FollowedAnalysis>(target_.capture_path);
    file_ = file;
    native_ = info().native_stacks;
    places_ = LivePlaces();
    places_.set_frames([this](uint32_t process, uint32_t node) {
      return followed_->capture().frames(process, node, native_);
    });
    nodes_resolved_ = 0;
    next_resolve_ = {};
  }

  // False: there is none, or no capture, or none yet.
  bool open_next() {
    try {
      open();
      catch_up([](double) {});
      return true;
    } catch (const reader::CaptureError&) {
      return false;
    }
  }

  // One that does not answer is about to end, and at work on its names.
  bool ask() {
    if (!target_.recording || Clock::now() < next_ask_) return false;
    if (write_so_far(*target_.recording)) return true;
    constexpr auto kPatience = std::chrono::seconds(5);
    next_ask_ = Clock::now() + kPatience;
    return false;
  }

  void take(double seconds) { places_.add(info(), followed_->so_far(), seconds); }

  // Names of native code and the text of lines come when a recording ends: until then they are
  // looked for here, when there is new code to name, and never for more than a small part of the
  // time.
  void resolve() {
    const size_t nodes = followed_->nodes_known();
    if (nodes == nodes_resolved_ || Clock::now() < next_resolve_) return;
    const Clock::time_point begin = Clock::now();
    followed_->forget_resolved();
    resolve_so_far(followed_->capture());
    places_.forget_names();
    nodes_resolved_ = nodes;
    constexpr int kRestPerWork = 40;
    constexpr auto kLeastRest = std::chrono::seconds(5);
    const Clock::time_point end = Clock::now();
    next_resolve_ = end + std::max<Clock::duration>(kLeastRest, kRestPerWork * (end - begin));
  }

  LiveTarget target_;
  Clock::time_point next_ask_;
  const bool asked_;
  std::unique_ptr<reader::FollowedAnalysis> followed_;
  OutputFile file_;  // that followed_ reads
  bool native_ = false;
  LivePlaces places_;
  size_t nodes_resolved_ = 0;
  Clock::time_point next_resolve_;
};

// What the keys change, and the loop that waits for them.
class LiveSession {
 public:
  LiveSession(LiveView& view, double interval_seconds)
      : view_(view),
        interval_(std::chrono::duration_cast<Clock::duration>(
            std::chrono::duration<double>(interval_seconds))),
        terminal_(detect_terminal(STDOUT_FILENO)) {}

  void run() {
    view_.catch_up([this](double share) {
      const auto percent = static_cast<int>(share * 100);
      if (Clock::now() - started_ < std::chrono::milliseconds(500)) return;
      keyboard_.draw(
          {"memlens live: reading what was recorded, " + std::to_string(percent) + " %"});
    });
    Clock::time_point next = Clock::now() + interval_;
    for (;;) {
      draw();
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(next - Clock::now()).count();
      const int key = left > 0 ? keyboard_.key(static_cast<int>(left)) : LiveKeyboard::kNone;
      if (key == LiveKeyboard::kGone) return;
      if (key != LiveKeyboard::kNone) {
        if (!(typing_ == Typing::kNothing ? take_key(key) : take_typed(key))) return;
      }
      if (Clock::now() < next) continue;
      next = Clock::now() + interval_;
      if (!paused_) view_.refresh();
    }
  }

 private:
  enum class Typing { kNothing, kFilter, kMark };

  void draw() {
    const LiveKeyboard::Size size = LiveKeyboard::size();
    terminal_.columns = size.columns;
    LiveScreen screen = view_.screen();
    const size_t places = screen.places->sorted(order_, filter_).size();
    first_row_ = std::min(first_row_, places > 0 ? places - 1 : 0);
    screen.order = order_;
    screen.filter = filter_;
    screen.first_row = first_row_;
    screen.paused = paused_;
    screen.help = help_;
    screen.message = typing_ == Typing::kFilter ? "only lines with: " + text_ + "_"
                     : typing_ == Typing::kMark ? "name of the mark: " + text_ + "_"
                                                : message_;
    if (typing_ == Typing::kNothing && message_.empty() && !view_.info().running) {
      screen.message = "the recording has ended  q quit  next: " + typed_program() + " summary " +
                       printable(view_.target().capture_path);
    }
    keyboard_.draw(draw_live(screen, terminal_, size.rows));
  }

  // False: the end.
  bool take_key(int key) {
    message_.clear();
    const size_t page = live_list_rows(LiveKeyboard::size().rows);
    switch (key) {
      case 'q':
      case 'Q':
        return false;
      case '1':
      case '2':
      case '3':
      case '4':
      case '5':
        order_ = kLiveOrders[key - '1'];
        first_row_ = 0;
        break;
      case 's':
      case 'v':
        order_ = kLiveOrders[(static_cast<size_t>(order_) + 1) % std::size(kLiveOrders)];
        first_row_ = 0;
        break;
      case 'p':
      case ' ':
        paused_ = !paused_;
        break;
      case '?':
      case 'h':
        help_ = !help_;
        break;
      case '/':
        typing_ = Typing::kFilter;
        text_ = filter_;
        break;
      case 'm':
        if (!view_.target().recording || !view_.info().running) {
          message_ = "no mark: the recording cannot be reached from here";
        } else {
          typing_ = Typing::kMark;
          text_ = "live " + std::to_string(++marks_);
        }
        break;
      case LiveKeyboard::kEscape:
        filter_.clear();
        help_ = false;
        break;
      case LiveKeyboard::kUp:
        first_row_ -= std::min<size_t>(first_row_, 1);
        break;
      case LiveKeyboard::kDown:
        ++first_row_;
        break;
      case LiveKeyboard::kPageUp:
        first_row_ -= std::min(first_row_, page);
        break;
      case LiveKeyboard::kPageDown:
        first_row_ += page;
        break;
      case LiveKeyboard::kHome:
        first_row_ = 0;
        break;
      default:
        break;
    }
    return true;
  }

  bool take_typed(int key) {
    if (key == LiveKeyboard::kEnter) {
      typing_ == Typing::kFilter ? set_filter() : set_mark();
      typing_ = Typing::kNothing;
    } else if (key == LiveKeyboard::kEscape) {
      typing_ = Typing::kNothing;
    } else if (key == LiveKeyboard::kBackspace) {
      // A whole character: what follows its first byte begins with the bits 10.
      while (!text_.empty() && (text_.back() & 0xc0) == 0x80) text_.pop_back();
      if (!text_.empty()) text_.pop_back();
    } else if (key == 21) {  // Ctrl-U
      text_.clear();
    } else if (key >= ' ' && key < 256) {
      text_ += static_cast<char>(key);
    }
    return true;
  }

  void set_filter() {
    filter_ = text_;
    first_row_ = 0;
  }

  void set_mark() {
    if (text_.empty()) return;
    std::string reason;
    const collector::RunningRecording& recording = *view_.target().recording;
    message_ = mark_recording(recording, recording.collector_pid, text_, reason)
                   ? "mark '" + printable(text_) + "' set"
                   : "no mark: " + printable(reason);
  }

  LiveView& view_;
  const Clock::duration interval_;
  const Clock::time_point started_ = Clock::now();
  Terminal terminal_;
  LiveKeyboard keyboard_;
  LiveOrder order_ = LiveOrder::kHeld;
  Typing typing_ = Typing::kNothing;
  std::string text_, filter_, message_;
  size_t first_row_ = 0;
  unsigned marks_ = 0;
  bool paused_ = false;
  bool help_ = false;
};

// For a pipe, a file, a terminal that can only go forward.
void print_snapshot(LiveView& view) {
  view.catch_up([](double) {});
  Terminal terminal = detect_terminal(STDOUT_FILENO);
  for (const std::string& line : draw_live(view.screen(), terminal, 0)) std::cout << line << '\n';
}

int live(const LiveOptions& options) {
  LiveView view(find_target(options.target));
  const char* term = std::getenv("TERM");
  const bool screen = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0 && term != nullptr &&
                      std::string_view(term) != "dumb";
  if (screen) {
    LiveSession(view, options.interval_seconds).run();
  } else {
    print_snapshot(view);
  }
  return 0;
}

}  // namespace

void add_live_command(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<LiveOptions>();
  CLI::App* command =
      app.add_subcommand("live", "Watch a recording that is running, in the terminal");
  command->footer(
      "Totals, the resident set, the growth of the last ten seconds, and the lines that hold "
      "most,\n"
      "with a curve of the last minute each. Keys: q quits, m sets a mark, 1 to 5 and s sort,\n"
      "/ shows only lines with a text in them, ? helps. The recording goes on when the view ends.\n"
      "Where the output is no terminal, one picture is printed.\n\n"
      "Examples:\n"
      "  memlens live 4711             a process that is being recorded, or memlens run itself\n"
      "  memlens live app.mlens        the capture that is being written");
  command->add_option("PID|CAPTURE", options->target, "A recorded process, or a capture")
      ->required()
      ->option_text(" ");
  command->add_option("--interval", options->interval_seconds, "Seconds from one look to the next")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str()
      ->option_text("S");
  command->callback([options, &chosen] { chosen = [options] { return live(*options); }; });
}

}  // namespace memlens::report::cli

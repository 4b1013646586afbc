#include "report/live/live_screen.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "reader/text/columns.h"
#include "reader/text/units.h"
#include "report/terminal/wording.h"
#include "report/text/short_function.h"
#include "report/text/short_path.h"
#include "report/text/sparkline.h"

namespace memlens::report {
namespace {

constexpr size_t kHeadRows = 6;  // before the list, its heading included
constexpr size_t kRowsOfSnapshot = 10;
constexpr size_t kBytesWidth = 9;
constexpr size_t kShareWidth = 7;
constexpr size_t kGainWidth = 10;
// From so many columns on there is room for the source line, or a longer curve.
constexpr size_t kWide = 100;
constexpr size_t kNarrowScreen = 72;

std::string padded_left(const std::string& text, size_t columns) {
  const size_t width = column_count(text);
  return width < columns ? std::string(columns - width, ' ') + text : text;
}

std::string padded_right(std::string text, size_t columns) {
  const size_t width = column_count(text);
  if (width < columns) text.append(columns - width, ' ');
  return text;
}

std::string signed_bytes(int64_t bytes) {
  if (bytes == 0) return "0 B";
  return (bytes > 0 ? "+" : "-") + format_bytes(static_cast<uint64_t>(std::llabs(bytes)));
}

class Drawer {
 public:
  Drawer(const LiveScreen& screen, const Terminal& terminal, size_t rows)
      : screen_(screen), terminal_(terminal), totals_(screen.places->totals()), rows_(rows) {}

  std::vector<std::string> draw() {
    add_heading();
    add_totals();
    if (screen_.help) {
      add_help();
    } else {
      add_places();
    }
    if (rows_ != 0) {
      lines_.resize(rows_ - 1);
      add_last_line();
    }
    return std::move(lines_);
  }

 private:
  const char* dot() const { return terminal_.unicode ? " · " : " - "; }

  void add(const std::string& text, Paint paint = Paint::kPlain) {
    lines_.push_back(terminal_.paint(paint, cut_end(text, terminal_.columns, terminal_.unicode)));
  }

  // The first that fits; each says less than the one before.
  void add_fitting(const std::vector<std::string>& texts, Paint paint = Paint::kPlain) {
    for (const std::string& text : texts) {
      if (column_count(text) <= terminal_.columns) return add(text, paint);
    }
    add(texts.back(), paint);
  }

  void add_heading() {
    const reader::CaptureInfo& info = *screen_.info;
    std::string facts = dot() + format_seconds(totals_.seconds);
    if (info.processes.size() > 1)
      facts += dot() + format_count(info.processes.size()) + " processes";
    facts += dot() + std::string(info.running    ? screen_.paused ? "paused" : "recording"
                                 : info.complete ? "finished"
                                                 : "ended early");
    if (!screen_.exact) facts += std::string(dot()) + "approximate";
    std::vector<std::string> command = info.command;
    if (!command.empty()) command[0].erase(0, command[0].rfind('/') + 1);
    const size_t taken = column_count(facts) + 15;
    const size_t room = terminal_.columns > taken ? terminal_.columns - taken : 8;
    add("memlens live" + std::string(dot()) +
            cut_end(command_text(command), room, terminal_.unicode) + facts,
        Paint::kBold);
  }

  void add_totals() {
    const reader::Totals& totals = totals_.totals;
    const std::string held = "Allocated " + format_bytes(totals.leaked_bytes);
    const std::string blocks = " in " + format_count_of(totals.leaked_blocks, "block");
    const std::string peak = "   Peak " + format_bytes(totals.peak_bytes);
    const std::string at = " at " + format_seconds(totals.peak_seconds);
    const std::string rss =
        screen_.resident_bytes ? "   RSS " + format_bytes(*screen_.resident_bytes) : "";
    add_fitting({held + blocks + peak + at + rss, held + blocks + peak + rss, held + peak + rss});
    const std::string gained = "Last " + std::to_string(rounded(totals_.window_seconds)) + " s  " +
                               signed_bytes(totals_.gained_bytes);
    const std::string bytes =
        "  " + format_bytes(rounded(totals_.allocated_bytes_per_second)) + "/s";
    const std::string count =
        " by " + format_count(rounded(totals_.allocations_per_second)) + " allocations/s";
    const std::string temporary =
        "   " + format_share(totals.temporary_blocks, totals.allocations) + " temporary";
    add_fitting({gained + bytes + " allocated" + count + temporary, gained + bytes + count,
                 gained + bytes});
    add("Memory " + sparkline(totals_.curve, std::min(terminal_.columns - 7, LivePlaces::kMoments),
                              terminal_.unicode));
    add("");
  }

  std::string value_of(const LivePlace& place) const {
    switch (screen_.order) {
      case LiveOrder::kHeld:
      case LiveOrder::kGrowth:
        return format_bytes(place.held.bytes);
      case LiveOrder::kPeak:
        return format_bytes(place.peak.bytes);
      case LiveOrder::kAllocated:
        return format_bytes(rounded(place.allocated_bytes_per_second)) + "/s";
      case LiveOrder::kTemporary:
        return format_count(place.temporary.blocks);
    }
    return "";
  }

  std::string share_of(const LivePlace& place) const {
    const reader::Totals& totals = totals_.totals;
    switch (screen_.order) {
      case LiveOrder::kHeld:
      case LiveOrder::kGrowth:
        return format_share(place.held.bytes, totals.leaked_bytes);
      case LiveOrder::kPeak:
        return format_share(place.peak.bytes, totals.peak_bytes);
      case LiveOrder::kAllocated:
        return format_share(rounded(place.allocated_bytes_per_second),
                            rounded(totals_.allocated_bytes_per_second));
      case LiveOrder::kTemporary:
        return format_share(place.temporary.blocks, totals.temporary_blocks);
    }
    return "";
  }

  static const char* title_of(LiveOrder order) {
    switch (order) {
      case LiveOrder::kHeld:
      case LiveOrder::kGrowth:
        return "allocated";
      case LiveOrder::kPeak:
        return "at peak";
      case LiveOrder::kAllocated:
        return "rate";
      case LiveOrder::kTemporary:
        return "temporary";
    }
    return "";
  }

  void add_places() {
    const std::vector<const LivePlace*> places =
        screen_.places->sorted(screen_.order, screen_.filter);
    const size_t curve = terminal_.columns >= kWide          ? 20
                         : terminal_.columns < kNarrowScreen ? 6
                                                             : 10;
    const size_t value = screen_.order == LiveOrder::kAllocated ? kBytesWidth + 2 : kBytesWidth;
    const size_t numbers = value + 1 + kShareWidth + 1 + kGainWidth + 2 + curve + 2;
    const size_t room = terminal_.columns > numbers ? terminal_.columns - numbers : 1;
    std::string heading =
        padded_left(title_of(screen_.order), value) + " " + padded_left("share", kShareWidth) +
        " " +
        padded_left("last " + std::to_string(rounded(totals_.window_seconds)) + " s", kGainWidth) +
        "  " + padded_right("curve", curve) + "  by ";
    heading += order_text();
    add(heading, Paint::kDim);
    if (places.empty()) {
      add(screen_.filter.empty() ? "  nothing yet"
                                 : "  no place has '" + screen_.filter + "' in it",
          Paint::kDim);
      return;
    }
    const size_t wanted = rows_ == 0 ? kRowsOfSnapshot : live_list_rows(rows_);
    const size_t first = std::min(screen_.first_row, places.size() - 1);
    for (size_t i = first; i < std::min(places.size(), first + wanted); ++i) {
      const LivePlace& place = *places[i];
      const std::string text =
          padded_left(value_of(place), value) + " " + padded_left(share_of(place), kShareWidth) +
          " " + padded_left(signed_bytes(place.gained_bytes), kGainWidth) + "  " +
          padded_right(sparkline(place.curve, curve, terminal_.unicode), curve) + "  ";
      lines_.push_back(text + described(place.frame, room));
    }
  }

  // Function and place, and the line's text where there is room.
  std::string described(const reader::Frame& frame, size_t room) const {
    const std::string where = place_of(frame, screen_.info->working_directory);
    const std::string name = short_function(frame.function, terminal_.unicode);
    // The name first: of a place its end says enough.
    const size_t least = std::min<size_t>(column_count(where), 8);
    const size_t name_room = room > least + 1 ? room - least - 1 : room;
    std::string text = cut_end(name, name_room, terminal_.unicode);
    size_t used = column_count(text);
    text = terminal_.paint(Paint::kBold, text);
    if (!where.empty() && used + 1 + least <= room) {
      const std::string shown = cut_folders(where, room - used - 1, terminal_.unicode);
      text += " " + shown;
      used += 1 + column_count(shown);
    }
    if (!frame.source.empty() && used + 12 < room) {
      text += terminal_.paint(
          Paint::kDim, "  " + cut_end(printable(frame.source), room - used - 2, terminal_.unicode));
    }
    return text;
  }

  std::string order_text() const {
    switch (screen_.order) {
      case LiveOrder::kHeld:
        return "bytes allocated";
      case LiveOrder::kGrowth:
        return "growth";
      case LiveOrder::kPeak:
        return "share of the peak";
      case LiveOrder::kAllocated:
        return "bytes allocated a second";
      case LiveOrder::kTemporary:
        return "temporary allocations";
    }
    return "";
  }

  void add_help() {
    for (const char* line : {
             "  1  what holds most now           2  what grew in the last 10 s",
             "  3  what made the peak            4  what allocates most a second",
             "  5  temporary allocations         s  the next of these",
             "  /  only lines with a text in them; Esc shows all again",
             "  m  set a mark: it gets a name, and reports take --from and --to it",
             "  p  pause, and go on              up, down  through the list",
             "  q  quit; the recording goes on   ?  this help",
         }) {
      add(line);
    }
    add("");
    add("  Each stack counts at the innermost line of the project. 'Allocated' is", Paint::kDim);
    add("  what is not freed yet; a curve is of the last minute.", Paint::kDim);
  }

  void add_last_line() {
    if (!screen_.message.empty()) return add(screen_.message, Paint::kBold);
    std::string filter = screen_.filter.empty() ? "" : "  [" + printable(screen_.filter) + "]";
    add_fitting({"q quit  m mark  1-5 s sort  / filter  p pause  ? help" + filter,
                 "q quit  m mark  s sort  / filter  ? help" + filter, "q quit  ? help"},
                Paint::kDim);
  }

  const LiveScreen& screen_;
  const Terminal& terminal_;
  const LiveTotals& totals_;
  const size_t rows_;
  std::vector<std::string> lines_;
};

}  // namespace

size_t live_list_rows(size_t rows) { return rows > kHeadRows + 1 ? rows - kHeadRows - 1 : 1; }

std::vector<std::string> draw_live(const LiveScreen& screen, const Terminal& terminal,
                                   size_t rows) {
  return Drawer(screen, terminal, rows).draw();
}

std::optional<uint64_t> resident_now(const reader::Capture& capture) {
  std::map<uint32_t, uint64_t> latest;
  for (const reader::ResidentSample& sample : capture.resident_samples())
    latest[sample.process_index] = sample.bytes;
  std::optional<uint64_t> bytes;
  for (const reader::ProcessInfo& process : capture.info().processes) {
    const auto sample = latest.find(process.index);
    if (process.end_seconds || sample == latest.end()) continue;
    bytes = bytes.value_or(0) + sample->second;
  }
  return bytes;
}

}  // namespace memlens::report

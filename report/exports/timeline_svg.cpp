#include "report/exports/timeline_svg.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "reader/text/columns.h"
#include "reader/text/units.h"
#include "report/text/xml_text.h"

namespace memlens::report {
namespace {

constexpr double kWidth = 960, kHeight = 420;
constexpr double kLeft = 84, kRight = 20, kTop = 56, kBottom = 48;
// More marks than this are lines without names.
constexpr size_t kNamedMarks = 24;

// 1, 2 or 5 times a power of ten, so that an axis has about five steps.
double step_of(double whole) {
  if (!(whole > 0)) return 1;
  const double power = std::pow(10, std::floor(std::log10(whole / 5)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (power * factor * 6 >= whole) return power * factor;
  }
  return power * 10;
}

class Picture {
 public:
  Picture(std::ostream& out, const TimelinePicture& picture) : out_(out), picture_(picture) {
    for (const MemoryPoint& point : picture.points) {
      highest_ = std::max(
          {highest_, static_cast<double>(point.bytes), static_cast<double>(point.resident_bytes)});
      has_resident_ |= point.resident_bytes != 0;
    }
    highest_ = std::max(highest_, static_cast<double>(picture.peak_bytes));
    if (!picture.points.empty()) {
      first_ = picture.points.front().seconds;
      last_ = std::max(picture.points.back().seconds, first_ + 1e-9);
    }
    if (highest_ == 0) highest_ = 1;
    highest_ *= 1.05;
  }

  void write() {
    out_ << std::fixed << std::setprecision(1);
    out_ << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << kWidth << ' ' << kHeight
         << "\" width=\"" << kWidth << "\" height=\"" << kHeight
         << "\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" "
            "fill=\"#ffffff\"/>\n";
    text(kLeft, 24, "start", picture_.title, " font-size=\"15\" fill=\"#222222\"");
    axes();
    curve("blocks", "#2b6cb0", "#2b6cb033", [](const MemoryPoint& point) { return point.bytes; });
    if (has_resident_) {
      curve("resident", "#c05621", "none",
            [](const MemoryPoint& point) { return point.resident_bytes; });
    }
    marks();
    peak();
    legend();
    out_ << "</svg>\n";
  }

 private:
  double x(double seconds) const {
    return kLeft + (kWidth - kLeft - kRight) * (seconds - first_) / (last_ - first_);
  }
  double y(double bytes) const {
    return kHeight - kBottom - (kHeight - kTop - kBottom) * bytes / highest_;
  }

  void text(double at_x, double at_y, const char* anchor, const std::string& words,
            const char* attributes = " fill=\"#555555\"") {
    out_ << "<text x=\"" << at_x << "\" y=\"" << at_y << "\" text-anchor=\"" << anchor << '"'
         << attributes << '>' << xml_escaped(printable(words)) << "</text>\n";
  }
  void line(double x1, double y1, double x2, double y2, const char* attributes) {
    out_ << "<line x1=\"" << x1 << "\" y1=\"" << y1 << "\" x2=\"" << x2 << "\" y2=\"" << y2 << "\" "
         << attributes << "/>\n";
  }

  void axes() {
    const double bytes_step = step_of(highest_);
    for (double bytes = 0; bytes <= highest_; bytes += bytes_step) {
      line(kLeft, y(bytes), kWidth - kRight, y(bytes), "stroke=\"#e2e2e2\"");
      text(kLeft - 8, y(bytes) + 4, "end", format_bytes(static_cast<uint64_t>(bytes)));
    }
    const double seconds_step = step_of(last_ - first_);
    for (double seconds = std::ceil(first_ / seconds_step) * seconds_step; seconds <= last_;
         seconds += seconds_step) {
      line(x(seconds), kHeight - kBottom, x(seconds), kHeight - kBottom + 4, "stroke=\"#888888\"");
      text(x(seconds), kHeight - kBottom + 18, "middle", format_seconds(seconds));
    }
    line(kLeft, kHeight - kBottom, kWidth - kRight, kHeight - kBottom, "stroke=\"#888888\"");
    text(kWidth - kRight, kHeight - 10, "end", "seconds since recording began");
  }

  template <typename Value>
  void curve(const char* name, const char* stroke, const char* fill, Value value) {
    std::ostringstream path;
    path << std::fixed << std::setprecision(1);
    for (const MemoryPoint& point : picture_.points) {
      path << (path.tellp() == 0 ? "M" : " L") << x(point.seconds) << ' '
           << y(static_cast<double>(value(point)));
    }
    if (path.tellp() == 0) return;
    if (std::string_view(fill) != "none") {
      out_ << "<path d=\"" << path.str() << " L" << x(last_) << ' ' << y(0) << " L" << x(first_)
           << ' ' << y(0) << " Z\" fill=\"" << fill << "\"/>\n";
    }
    out_ << "<path class=\"" << name << "\" d=\"" << path.str() << "\" fill=\"none\" stroke=\""
         << stroke << "\" stroke-width=\"1.5\"/>\n";
  }

  void marks() {
    const bool named = picture_.marks.size() <= kNamedMarks;
    for (const reader::Mark& mark : picture_.marks) {
      if (mark.seconds < first_ || mark.seconds > last_) continue;
      line(x(mark.seconds), kTop, x(mark.seconds), kHeight - kBottom,
           "stroke=\"#718096\" stroke-dasharray=\"2 3\"");
      if (!named) continue;
      out_ << "<text transform=\"translate(" << x(mark.seconds) + 4 << ' ' << kTop + 4
           << ") rotate(90)\" font-size=\"10\" fill=\"#4a5568\">"
           << xml_escaped(printable(mark.name)) << "</text>\n";
    }
  }

  void peak() {
    if (picture_.peak_bytes == 0 || picture_.peak_seconds < first_ || picture_.peak_seconds > last_)
      return;
    const double at_x = x(picture_.peak_seconds);
    const double at_y = y(static_cast<double>(picture_.peak_bytes));
    out_ << "<circle cx=\"" << at_x << "\" cy=\"" << at_y << "\" r=\"3.5\" fill=\"#9b2c2c\"/>\n";
    const bool left = at_x > kWidth * 0.6;
    text(at_x + (left ? -8 : 8), at_y - 6, left ? "end" : "start",
         "peak " + format_bytes(picture_.peak_bytes), " fill=\"#9b2c2c\"");
  }

  void legend() {
    text(kWidth - kRight, 24, "end", "recorded blocks", " fill=\"#2b6cb0\"");
    if (has_resident_) text(kWidth - kRight, 42, "end", "resident (RSS)", " fill=\"#c05621\"");
  }

  std::ostream& out_;
  const TimelinePicture& picture_;
  double highest_ = 0;
  double first_ = 0;
  double last_ = 1;
  bool has_resident_ = false;
};

}  // namespace

void write_timeline_svg(std::ostream& out, const TimelinePicture& picture) {
  Picture(out, picture).write();
}

}  // namespace memlens::report

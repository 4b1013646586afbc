#include "reader/text/units.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace memlens {
namespace {

template <typename... Values>
std::string print(const char* format, Values... values) {
  char text[64];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

}  // namespace

uint64_t rounded(double amount) {
  return static_cast<uint64_t>(std::llround(std::max(0.0, amount)));
}

std::string format_bytes(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return print("%u B", static_cast<unsigned>(bytes));
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  // 999.5 and more would print as 1000 of the unit.
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  const int digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return print("%.*f %s", digits, value, kUnits[unit]);
}

std::string format_interval(uint64_t bytes) {
  static constexpr const char* kUnits[] = {" bytes", " KiB", " MiB", " GiB", " TiB"};
  size_t unit = 0;
  while (bytes >= 1024 && bytes % 1024 == 0 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + kUnits[unit];
}

std::string format_bytes_error(double variance, bool unicode) {
  if (variance <= 0) return "";
  return (unicode ? " ± " : " +- ") +
         format_bytes(static_cast<uint64_t>(std::llround(std::sqrt(variance))));
}

std::string format_count_error(double variance, bool unicode) {
  if (variance <= 0) return "";
  return (unicode ? " ± " : " +- ") +
         format_count(static_cast<uint64_t>(std::llround(std::sqrt(variance))));
}

std::string format_count(uint64_t count) {
  std::string digits = std::to_string(count);
  for (size_t place = digits.size(); place > 3; place -= 3) digits.insert(place - 3, 1, ',');
  return digits;
}

std::string format_count_of(uint64_t count, const char* singular) {
  return format_count(count) + " " + singular + (count == 1 ? "" : "s");
}

std::string format_share(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  if (part == 0) return "0 %";
  const double percent = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  if (percent < 0.05) return "<0.1 %";
  // What is not everything does not print as everything.
  if (percent >= 99.95) return part == whole ? "100 %" : "99.9 %";
  return print("%.1f %%", percent);
}

std::string format_seconds(double seconds) {
  if (seconds >= 3600) {
    const auto minutes = static_cast<long long>(std::llround(seconds / 60));
    return print("%lld h %02lld min", minutes / 60, minutes % 60);
  }
  if (seconds >= 120) {
    const auto whole = static_cast<long long>(std::llround(seconds));
    return print("%lld min %02lld s", whole / 60, whole % 60);
  }
  return print("%.*f s", seconds < 10 ? 3 : seconds < 100 ? 2 : 1, seconds);
}

}  // namespace memlens

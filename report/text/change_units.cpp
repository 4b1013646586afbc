#include "report/text/change_units.h"

#include <cmath>
#include <cstdio>

#include "reader/text/units.h"

namespace memlens::report {
namespace {

uint64_t magnitude_of(int64_t number) {
  return number < 0 ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
}

std::string print(const char* format, int digits, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, digits, value);
  return text;
}

}  // namespace

std::string format_bytes_change(int64_t bytes) {
  return (bytes < 0 ? "-" : "+") + format_bytes(magnitude_of(bytes));
}

std::string format_count_change(int64_t count) {
  return (count < 0 ? "-" : "+") + format_count(magnitude_of(count));
}

std::string format_relative_change(uint64_t before, uint64_t after) {
  if (before == after) return "no change";
  if (before == 0) return "new";
  const double ratio = static_cast<double>(after) / static_cast<double>(before);
  if (ratio >= 10) return print("x %.*f", ratio < 100 ? 1 : 0, ratio);
  const double percent = 100 * (ratio - 1);
  if (std::abs(percent) < 0.05) return percent < 0 ? "-<0.1 %" : "+<0.1 %";
  return print("%+.*f %%", std::abs(percent) >= 99.95 ? 0 : 1, percent);
}

}  // namespace memlens::report
